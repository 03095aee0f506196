//! The small things that a replica keeps beside its log and outbox, each under a number of its own that is never reused.

use prost::Message;
use radslag_core::id::DeviceSeq;
use radslag_log::{RowChange, RowKey, RowKind};

use crate::error::ClientError;
use crate::replica::Replica;

/// [`radslag_proto::log::v1::OwnDevice`].
pub(crate) const OWN_DEVICE: u64 = 1;
/// [`radslag_proto::log::v1::HandedIn`].
pub(crate) const HANDED_IN: u64 = 2;
/// [`radslag_proto::log::v1::SeenFork`].
pub(crate) const SEEN_FORK: u64 = 3;
/// [`radslag_proto::log::v1::Checkpoints`].
pub(crate) const CHECKPOINTS: u64 = radslag_log::CHECKPOINTS;
/// [`radslag_proto::log::v1::LostNumbers`].
pub(crate) const LOST_NUMBERS: u64 = 5;
/// From here on [`radslag_proto::log::v1::RememberedRejection`], by the event's number on its device.
pub(crate) const REMEMBERED: u64 = 1 << 40;

/// Where what the server said of a rejected event is kept.
pub(crate) const fn remembered(seq: DeviceSeq) -> u64 {
    REMEMBERED | (seq.get() & (REMEMBERED - 1))
}

impl Replica {
    /// The row of a setting.
    pub(crate) fn setting_row(&self, number: u64) -> RowKey {
        RowKey { program: self.settings.program, kind: RowKind::Setting, number }
    }

    /// Writes a setting.
    pub(crate) fn put_setting(&self, number: u64, setting: &impl Message) -> RowChange {
        RowChange::Put(self.setting_row(number), setting.encode_to_vec())
    }

    /// Reads a setting; none where it was never written.
    pub(crate) fn setting<T: Message + Default>(&self, number: u64) -> Result<Option<T>, ClientError> {
        let rows = self.log.rows(self.settings.program, RowKind::Setting)?;
        let Some((_, bytes)) = rows.into_iter().find(|(at, _)| *at == number) else { return Ok(None) };
        let read = T::decode(bytes.as_slice());
        read.map(Some)
            .map_err(|error| ClientError::Unverified(format!("setting {number} is damaged: {error}")))
    }
}
