//! Which values a kind of change has, and whether a body's digests are exactly those.

use radslag_core::digest::Digest;
use radslag_core::event::{Change, NewValue, Standing, ValueDigest};
use radslag_core::field::FieldKey;
use radslag_core::value::Slot;

use super::id::digest;
use super::{At, ConvertError, ensure, wrong};
use crate::event::v1 as wire;

/// The values of one kind. Reason and decision stand beside any.
struct Slots {
    /// Must be there.
    required: Vec<Slot>,
    /// May be there.
    optional: &'static [Slot],
}

impl Slots {
    fn exactly(required: &[Slot]) -> Self {
        Self { required: required.to_vec(), optional: &[] }
    }

    fn of_field(field: FieldKey, sealed: bool) -> Self {
        Self { required: field.slot().filter(|_| sealed).into_iter().collect(), optional: &[] }
    }

    fn has(&self, slot: Slot) -> bool {
        slot == Slot::REASON
            || slot == Slot::DECISION
            || self.required.contains(&slot)
            || self.optional.contains(&slot)
    }
}

/// The slots of a change; none when the kind is unknown, so that any slot may be.
fn slots_of(change: &Change) -> Option<Slots> {
    Some(match change {
        Change::ProgramCreated { .. } | Change::SubgoalAdded { .. } => Slots::exactly(&[Slot::TITLE]),
        Change::AreaAdded { .. } => Slots { required: vec![Slot::TITLE], optional: &[Slot::GOAL] },
        Change::ActivityAdded { .. } => Slots {
            required: vec![Slot::TITLE],
            optional: &[Slot::COMMENT, Slot::TIME, Slot::COST, Slot::RESPONSIBLE_TEXT],
        },
        Change::PartyAdded { .. } => Slots::exactly(&[Slot::NAME]),
        Change::MemberAdmitted { .. } => Slots::exactly(&[Slot::MEMBER_NAME]),
        Change::BaselineSet { .. } => Slots::exactly(&[Slot::BASELINE_NAME]),
        Change::SourceImported { .. } => Slots::exactly(&[Slot::FILE_DIGEST, Slot::FILE_LAYOUT]),
        Change::FieldRevised { field, value, .. } => Slots::of_field(*field, *value == NewValue::Sealed),
        Change::ConflictResolved { field, stands, .. } => {
            Slots::of_field(*field, *stands == Standing::Sealed)
        }
        Change::OrganisationAdmitted { .. }
        | Change::DeviceEnrolled { .. }
        | Change::ResponsibleAssigned { .. }
        | Change::ResponsibleUnassigned { .. }
        | Change::Placed { .. }
        | Change::Retired { .. }
        | Change::Restored { .. }
        | Change::EpochOpened { .. }
        | Change::RulesAdopted { .. } => Slots::exactly(&[]),
        Change::Unknown => return None,
    })
}

/// Checks that the digests are those that the kind has. Paths are relative to the body.
pub(crate) fn check_slots(change: &Change, digests: &[ValueDigest]) -> Result<(), ConvertError> {
    let Some(slots) = slots_of(change) else { return Ok(()) };
    for (index, value) in digests.iter().enumerate() {
        let fits = slots.has(value.slot);
        ensure(fits, "is not a value of this kind of change").at("slot").at_index(index).at("digests")?;
    }
    for slot in slots.required {
        if digests.iter().all(|value| value.slot != slot) {
            return Err(wrong(format!("lack the value in slot {}", slot.get()))).at("digests");
        }
    }
    Ok(())
}

/// Reads a slot's number.
pub(crate) fn read_slot(number: u32) -> Result<Slot, ConvertError> {
    let slot = u16::try_from(number).ok().filter(|slot| *slot != 0);
    slot.map(Slot::new).ok_or_else(|| wrong("is not 1 to 65535"))
}

/// Reads digests that ascend by slot without repeats.
pub(crate) fn read_digests(field: &[wire::ValueDigest]) -> Result<Vec<ValueDigest>, ConvertError> {
    let mut read: Vec<ValueDigest> = Vec::with_capacity(field.len());
    for (index, value) in field.iter().enumerate() {
        let slot = read_slot(value.slot).at("slot").at_index(index)?;
        let ascends = read.last().is_none_or(|last| last.slot < slot);
        ensure(ascends, "does not ascend").at("slot").at_index(index)?;
        let digest: Digest = digest(&value.digest).at("digest").at_index(index)?;
        read.push(ValueDigest { slot, digest });
    }
    Ok(read)
}

/// The field that [`read_digests`] reads.
pub(crate) fn write_digests(digests: &[ValueDigest]) -> Vec<wire::ValueDigest> {
    let write = |value: &ValueDigest| wire::ValueDigest {
        slot: value.slot.get().into(),
        digest: value.digest.bytes().to_vec(),
    };
    digests.iter().map(write).collect()
}
