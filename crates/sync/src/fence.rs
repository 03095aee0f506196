//! One device's sequence: which number comes next, what it must point back to, and what its own events had seen.

use std::collections::BTreeMap;

use radslag_core::broken::{self, Variant};
use radslag_core::digest::Digest;
use radslag_core::event::{Base, Change, EventBody};
use radslag_core::id::{DeviceId, DeviceSeq, EpochId, EventId, Position};
use radslag_core::record::{Entry, Recorded};

/// What the fence says of an event that is not in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It is the device's next.
    Open,
    /// Events of the device are missing before it.
    Gap {
        /// The number that is expected.
        expected: DeviceSeq,
    },
    /// Its number is used, or it does not point back to the device's last event: two machines use one key.
    Forked {
        /// The number whose record shows it.
        at: DeviceSeq,
    },
    /// It has seen an own event without what that event had seen.
    ViewNotClosed {
        /// What the own event had seen.
        seen: Position,
    },
}

/// One device's chain of events.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    last_seq: DeviceSeq,
    last_event: EventId,
    last_body: Digest,
    last_base_epoch: EpochId,
    /// The greatest position that a base still vouches for, up to each number, where it grows.
    bases: Vec<(DeviceSeq, Position)>,
    /// Numbers skipped across a restore that an older event may still fill.
    holes: std::collections::BTreeSet<DeviceSeq>,
}

impl Fence {
    /// The device's last number in the log.
    pub const fn last_seq(&self) -> DeviceSeq {
        self.last_seq
    }

    /// The event that holds it.
    pub const fn last_event(&self) -> EventId {
        self.last_event
    }

    /// SHA-256 of the device's last body: the next one's `prev`.
    pub const fn last_body(&self) -> Digest {
        self.last_body
    }

    /// Whether an event with this number, predecessor and base may land in `epoch`; `vouched` is the position that its
    /// base still vouches for there.
    pub fn check(
        &self,
        seq: DeviceSeq,
        prev: Digest,
        base: &Base,
        epoch: EpochId,
        vouched: Position,
    ) -> Passage {
        let filling = self.holes.contains(&seq) && base.epoch != epoch;
        if seq <= self.last_seq && !filling {
            return Passage::Forked { at: seq };
        }
        let skipping =
            base.epoch != epoch || (self.last_seq > DeviceSeq::ZERO && self.last_base_epoch != epoch);
        if seq > self.last_seq.next() && !skipping {
            return Passage::Gap { expected: self.last_seq.next() };
        }
        if seq == self.last_seq.next() && prev != self.last_body && !broken::is(Variant::PrevIgnored) {
            return Passage::Forked { at: self.last_seq };
        }
        let before = self.bases.partition_point(|(number, _)| *number <= base.seq);
        match before.checked_sub(1).map(|index| self.bases[index].1) {
            Some(seen) if seen > vouched => Passage::ViewNotClosed { seen },
            _ => Passage::Open,
        }
    }

    fn note(&mut self, seq: DeviceSeq, record: &Recorded, base_epoch: EpochId, vouched: Option<Position>) {
        if seq <= self.last_seq {
            self.holes.remove(&seq);
            return;
        }
        let skipped = (self.last_seq.get() + 1..seq.get()).take(10_000);
        self.holes.extend(skipped.map(DeviceSeq::new));
        self.last_seq = seq;
        self.last_event = record.event_id;
        self.last_body = record.body_hash;
        self.last_base_epoch = base_epoch;
        if let Some(vouched) = vouched
            && self.bases.last().is_none_or(|(_, greatest)| *greatest < vouched)
        {
            self.bases.push((seq, vouched));
        }
    }

    /// A restore took away what came after `cut`: no earlier base vouches for more.
    fn cut(&mut self, cut: Position) {
        for (_, vouched) in &mut self.bases {
            *vouched = (*vouched).min(cut);
        }
    }
}

/// The fences of all devices of a programme.
#[derive(Clone, Debug, Default)]
pub struct Fences(BTreeMap<DeviceId, Fence>);

impl Fences {
    /// One device's fence; an empty one for a device without records.
    pub fn of(&self, device: DeviceId) -> Fence {
        self.0.get(&device).cloned().unwrap_or_default()
    }

    /// Uses up a device's next number without an event.
    pub fn use_up(&mut self, device: DeviceId) {
        let fence = self.0.entry(device).or_default();
        fence.last_seq = fence.last_seq.next();
    }

    /// The fences of one device alone, for trying a group out.
    #[must_use]
    pub fn only(&self, device: DeviceId) -> Self {
        Self(self.0.get(&device).map(|fence| (device, fence.clone())).into_iter().collect())
    }

    /// What the device's fence says of an event in `epoch`; `vouched` is the position that its base still vouches for.
    pub fn check(&self, body: &EventBody, epoch: EpochId, vouched: Position) -> Passage {
        let empty = Fence::default();
        let fence = self.0.get(&body.device_id).unwrap_or(&empty);
        fence.check(body.device_seq, body.prev, &body.base, epoch, vouched)
    }

    /// Takes in the next record of the log, accepted or rejected; `vouched` says what a base still vouches for.
    pub fn note(&mut self, record: &Recorded, vouched: impl Fn(&Base) -> Position) {
        match &record.entry {
            Entry::Accepted { body, .. } => {
                let fence = self.0.entry(body.device_id).or_default();
                fence.note(body.device_seq, record, body.base.epoch, Some(vouched(&body.base)));
                if let Change::EpochOpened { cut_position, .. } = &body.change {
                    self.0.values_mut().for_each(|fence| fence.cut(*cut_position));
                }
            }
            Entry::Rejected(_) if broken::is(Variant::RejectionFree) => {}
            Entry::Rejected(facts) => {
                let fence = self.0.entry(facts.device_id).or_default();
                fence.note(facts.device_seq, record, facts.base_epoch, None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use radslag_core::record::RejectedFacts;
    use radslag_core::rejection::RejectionCode;
    use radslag_core::time::{CivilDate, Instant};

    fn rejected(seq: u64, body: u8) -> Recorded {
        Recorded {
            position: Position::new(seq),
            recorded_at: Instant::from_micros(0),
            event_id: EventId::default(),
            body_hash: Digest::new([body; 32]),
            entry: Entry::Rejected(RejectedFacts {
                recorded_on: CivilDate::FIRST,
                device_id: DeviceId::default(),
                device_seq: DeviceSeq::new(seq),
                base_epoch: EpochId::default(),
                reason: RejectionCode::new(1),
            }),
        }
    }

    fn check(fences: &Fences, seq: u64, prev: Digest) -> Passage {
        let fence = fences.of(DeviceId::default());
        fence.check(DeviceSeq::new(seq), prev, &Base::default(), EpochId::default(), Position::ZERO)
    }

    #[test]
    fn numbers_pass_once_in_order_and_point_back() {
        let mut fences = Fences::default();
        assert_eq!(check(&fences, 1, Digest::ZERO), Passage::Open);
        assert_eq!(check(&fences, 1, Digest::new([9; 32])), Passage::Forked { at: DeviceSeq::ZERO });
        assert_eq!(check(&fences, 2, Digest::ZERO), Passage::Gap { expected: DeviceSeq::new(1) });
        fences.note(&rejected(1, 7), |_| Position::ZERO);
        assert_eq!(check(&fences, 1, Digest::ZERO), Passage::Forked { at: DeviceSeq::new(1) });
        assert_eq!(check(&fences, 2, Digest::ZERO), Passage::Forked { at: DeviceSeq::new(1) });
        assert_eq!(check(&fences, 2, Digest::new([7; 32])), Passage::Open);
        assert_eq!(check(&fences, 3, Digest::new([7; 32])), Passage::Gap { expected: DeviceSeq::new(2) });
    }

    #[test]
    fn a_number_may_skip_only_across_a_restore() {
        let mut fences = Fences::default();
        fences.note(&rejected(1, 7), |_| Position::ZERO);
        let opened = EpochId::from_slice(&[1; 16]).unwrap();
        let fence = fences.of(DeviceId::default());
        let skip = fence.check(DeviceSeq::new(5), Digest::ZERO, &Base::default(), opened, Position::ZERO);
        assert_eq!(skip, Passage::Open);
        fences.note(&rejected(5, 8), |_| Position::ZERO);
        let hole = fences.of(DeviceId::default()).check(
            DeviceSeq::new(3),
            Digest::ZERO,
            &Base::default(),
            opened,
            Position::ZERO,
        );
        assert_eq!(hole, Passage::Open);
    }

    #[test]
    fn a_view_is_closed_in_what_its_bases_still_vouch_for() {
        let mut fence = Fence::default();
        let record = rejected(1, 7);
        fence.note(DeviceSeq::new(1), &record, EpochId::default(), Some(Position::new(100)));
        let base = |seq| Base { seq: DeviceSeq::new(seq), ..Base::default() };
        let at = |fence: &Fence, seq, vouched| {
            let epoch = EpochId::default();
            fence.check(DeviceSeq::new(2), Digest::new([7; 32]), &base(seq), epoch, Position::new(vouched))
        };
        assert_eq!(at(&fence, 1, 60), Passage::ViewNotClosed { seen: Position::new(100) });
        assert_eq!(at(&fence, 0, 60), Passage::Open);
        fence.cut(Position::new(50));
        assert_eq!(at(&fence, 1, 60), Passage::Open);
        assert_eq!(at(&fence, 1, 40), Passage::ViewNotClosed { seen: Position::new(50) });
    }
}
