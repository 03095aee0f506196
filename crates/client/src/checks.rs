//! What a server asks of an event before it takes it in, asked before the event is queued: what would be refused later would
//! take everything after it into quarantine.

use radslag_core::event::Base;
use radslag_core::verdict::Refusal;
use radslag_engine::check::check_event;
use radslag_proto::convert::bundle::PushedEvent;

use crate::author::Authored;
use crate::error::ClientError;
use crate::replica::Replica;

impl Replica {
    /// Asks of an own event what a server asks: that it can be read, is within the limits, has its values, and that its base
    /// is one that it can have.
    pub(crate) fn check_own(&self, event: &Authored) -> Result<(), ClientError> {
        let refused = |refusal| ClientError::WouldBeRefused(Box::new(refusal));
        let pushed =
            PushedEvent { body_bytes: event.bytes.clone(), values: checked_values(event), stood: None };
        let (program, device) = (self.settings.program, self.settings.device);
        check_event(program, device, pushed, event.hash).map_err(refused)?;
        self.check_base(&event.body.base).map_err(refused)
    }

    /// A base reaches as far as the log at most, and as far as that of every own event that it has seen.
    pub(crate) fn check_base(&self, base: &Base) -> Result<(), Refusal> {
        let (state, head) = (&self.ledger.state, self.ledger.state.head());
        let vouched = state.clamp(base);
        if vouched > head {
            return Err(Refusal::BaseAhead { base: vouched, head });
        }
        let fence = self.ledger.fences.of(self.settings.device);
        let landed = fence.seen_by(base);
        let queued = self.outbox.iter().map(|event| &event.body);
        let queued = queued.filter(|own| own.device_seq <= base.seq).map(|own| {
            // A log that was rewound ends before what it had been; the epoch that says so comes with the next record.
            state.clamp(&own.base).min(state.head())
        });
        match queued.chain(landed).max() {
            Some(seen) if seen > vouched => Err(Refusal::ViewNotClosed { base: base.position, seen }),
            Some(_) | None => Ok(()),
        }
    }
}

fn checked_values(
    event: &Authored,
) -> Result<Vec<radslag_core::value::Value>, radslag_proto::convert::ConvertError> {
    let values = radslag_proto::convert::value::encode_values(&event.values);
    radslag_proto::convert::value::decode_values(&values)
}
