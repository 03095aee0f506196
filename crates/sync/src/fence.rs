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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    last_seq: DeviceSeq,
    last_event: EventId,
    last_body: Digest,
    last_base_epoch: EpochId,
    /// The greatest position that a base still vouches for, up to each number, where it grows.
    bases: Vec<(DeviceSeq, Position)>,
    /// Numbers skipped across a restore that an older event may still fill: runs that do not touch, the first of each
    /// with the last.
    holes: BTreeMap<DeviceSeq, DeviceSeq>,
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
    /// base still vouches for there, none for a base in an epoch that the log does not have: that has seen nothing.
    pub fn check(
        &self,
        seq: DeviceSeq,
        prev: Digest,
        base: &Base,
        epoch: EpochId,
        vouched: Option<Position>,
    ) -> Passage {
        let filling = self.is_hole(seq) && base.epoch != epoch;
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
        match (self.seen_by(base), vouched) {
            (Some(seen), Some(vouched)) if seen > vouched => Passage::ViewNotClosed { seen },
            _ => Passage::Open,
        }
    }

    /// The greatest position that the device's own events up to `base.seq` had seen.
    pub fn seen_by(&self, base: &Base) -> Option<Position> {
        let before = self.bases.partition_point(|(number, _)| *number <= base.seq);
        before.checked_sub(1).map(|index| self.bases[index].1)
    }

    fn note(&mut self, seq: DeviceSeq, record: &Recorded, base_epoch: EpochId, vouched: Option<Position>) {
        if let Some(vouched) = vouched {
            self.raise(seq, vouched);
        }
        if seq <= self.last_seq {
            self.fill(seq);
            return;
        }
        if self.last_seq.next() < seq {
            self.holes.insert(self.last_seq.next(), seq.previous());
        }
        self.last_seq = seq;
        self.last_event = record.event_id;
        self.last_body = record.body_hash;
        self.last_base_epoch = base_epoch;
    }

    fn is_hole(&self, seq: DeviceSeq) -> bool {
        self.holes.range(..=seq).next_back().is_some_and(|(_, last)| seq <= *last)
    }

    fn fill(&mut self, seq: DeviceSeq) {
        let Some((&first, &last)) = self.holes.range(..=seq).next_back() else { return };
        if last < seq {
            return;
        }
        self.holes.remove(&first);
        if first < seq {
            self.holes.insert(first, seq.previous());
        }
        if seq < last {
            self.holes.insert(seq.next(), last);
        }
    }

    /// From this number on, a view with the device's own events holds at least what the base vouches for.
    fn raise(&mut self, seq: DeviceSeq, vouched: Position) {
        let at = self.bases.partition_point(|(number, _)| *number < seq);
        if at.checked_sub(1).is_some_and(|before| self.bases[before].1 >= vouched) {
            return;
        }
        let covered = self.bases[at..].iter().take_while(|(_, later)| *later <= vouched).count();
        self.bases.splice(at..at + covered, [(seq, vouched)]);
    }

    /// A restore took away what came after `cut`: no earlier base vouches for more.
    fn cut(&mut self, cut: Position) {
        for (_, vouched) in &mut self.bases {
            *vouched = (*vouched).min(cut);
        }
    }
}

/// What a fence is made of, for a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FenceParts {
    /// The device's last number in the log.
    pub last_seq: DeviceSeq,
    /// The event that holds it.
    pub last_event: EventId,
    /// SHA-256 of its body.
    pub last_body: Digest,
    /// The epoch of its base.
    pub last_base_epoch: EpochId,
    /// The greatest position that a base still vouches for, up to each number, where it grows; numbers ascend, positions do not fall.
    pub bases: Vec<(DeviceSeq, Position)>,
    /// Numbers skipped across a restore that are still free: runs, each with its first and its last number, ascending.
    pub holes: Vec<(DeviceSeq, DeviceSeq)>,
}

impl Fence {
    /// The fence taken apart.
    pub fn to_parts(&self) -> FenceParts {
        FenceParts {
            last_seq: self.last_seq,
            last_event: self.last_event,
            last_body: self.last_body,
            last_base_epoch: self.last_base_epoch,
            bases: self.bases.clone(),
            holes: self.holes.iter().map(|(first, last)| (*first, *last)).collect(),
        }
    }

    /// The fence that has these parts; none where no log makes them: bases must be in order, holes must be apart, and
    /// nothing lies past the last number.
    pub fn from_parts(parts: FenceParts) -> Option<Self> {
        let ordered = parts.bases.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        let apart = parts.holes.iter().all(|(first, last)| DeviceSeq::ZERO < *first && first <= last)
            && parts.holes.windows(2).all(|pair| pair[0].1 < pair[1].0.previous());
        let bounded = parts.bases.last().is_none_or(|(seq, _)| *seq <= parts.last_seq)
            && parts.holes.last().is_none_or(|(_, last)| *last < parts.last_seq);
        (ordered && apart && bounded).then(|| Self {
            last_seq: parts.last_seq,
            last_event: parts.last_event,
            last_body: parts.last_body,
            last_base_epoch: parts.last_base_epoch,
            bases: parts.bases,
            holes: parts.holes.into_iter().collect(),
        })
    }
}

/// The fences of all devices of a programme.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fences(BTreeMap<DeviceId, Fence>);

impl FromIterator<(DeviceId, Fence)> for Fences {
    fn from_iter<T: IntoIterator<Item = (DeviceId, Fence)>>(fences: T) -> Self {
        Self(fences.into_iter().collect())
    }
}

impl Fences {
    /// Every device's fence, by device.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, &Fence)> {
        self.0.iter().map(|(device, fence)| (*device, fence))
    }

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

    /// What the device's fence says of an event in `epoch`; `vouched` is the position that its base still vouches for, if
    /// the log has its epoch.
    pub fn check(&self, body: &EventBody, epoch: EpochId, vouched: Option<Position>) -> Passage {
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
        fence.check(DeviceSeq::new(seq), prev, &Base::default(), EpochId::default(), Some(Position::ZERO))
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
        let vouched = Some(Position::ZERO);
        let skip = fence.check(DeviceSeq::new(5), Digest::ZERO, &Base::default(), opened, vouched);
        assert_eq!(skip, Passage::Open);
        fences.note(&rejected(5, 8), |_| Position::ZERO);
        let hole = |fences: &Fences, seq, base_epoch| {
            let base = Base { epoch: base_epoch, ..Base::default() };
            let fence = fences.of(DeviceId::default());
            fence.check(DeviceSeq::new(seq), Digest::ZERO, &base, opened, vouched)
        };
        let first = EpochId::default();
        assert_eq!(hole(&fences, 3, first), Passage::Open);
        assert_eq!(hole(&fences, 3, opened), Passage::Forked { at: DeviceSeq::new(3) });
        // The last record has an older base, so a newer one may skip once more; after that never again.
        assert_eq!(hole(&fences, 9, opened), Passage::Open);
        for seq in [3, 2, 4] {
            fences.note(&rejected(seq, 9), |_| Position::ZERO);
            assert_eq!(hole(&fences, seq, first), Passage::Forked { at: DeviceSeq::new(seq) });
        }
        assert!(fences.of(DeviceId::default()).holes.is_empty());
    }

    #[test]
    fn a_skip_of_any_length_leaves_one_run_of_holes() {
        let mut fences = Fences::default();
        fences.note(&rejected(u64::MAX - 1, 1), |_| Position::ZERO);
        let fence = fences.of(DeviceId::default());
        assert_eq!(fence.holes.len(), 1);
        assert!(fence.is_hole(DeviceSeq::new(1)) && fence.is_hole(DeviceSeq::new(u64::MAX - 2)));
        fences.note(&rejected(1 << 40, 1), |_| Position::ZERO);
        let fence = fences.of(DeviceId::default());
        assert!(!fence.is_hole(DeviceSeq::new(1 << 40)) && fence.is_hole(DeviceSeq::new((1 << 40) - 1)));
        assert_eq!(fence.holes.len(), 2);
    }

    #[test]
    fn what_fills_a_hole_counts_among_what_was_seen() {
        let mut fence = Fence::default();
        let note = |fence: &mut Fence, seq, vouched| {
            fence.note(
                DeviceSeq::new(seq),
                &rejected(seq, 7),
                EpochId::default(),
                Some(Position::new(vouched)),
            );
        };
        note(&mut fence, 1, 10);
        note(&mut fence, 6, 30);
        note(&mut fence, 9, 50);
        note(&mut fence, 4, 20);
        assert_eq!(
            fence.bases,
            [(1, 10), (4, 20), (6, 30), (9, 50)].map(|(s, p)| (DeviceSeq::new(s), Position::new(p)))
        );
        note(&mut fence, 5, 40);
        assert_eq!(
            fence.bases,
            [(1, 10), (4, 20), (5, 40), (9, 50)].map(|(s, p)| (DeviceSeq::new(s), Position::new(p)))
        );
        note(&mut fence, 7, 35);
        assert_eq!(fence.bases.len(), 4);
    }

    #[test]
    fn a_fence_is_put_together_from_what_a_log_makes_only() {
        let mut fences = Fences::default();
        for seq in [3, 9, 6] {
            fences.note(&rejected(seq, 7), |_| Position::ZERO);
        }
        let fence = fences.of(DeviceId::default());
        let runs =
            [(1, 2), (4, 5), (7, 8)].map(|(first, last)| (DeviceSeq::new(first), DeviceSeq::new(last)));
        assert_eq!(fence.to_parts().holes, runs);
        assert_eq!(Fence::from_parts(fence.to_parts()), Some(fence.clone()));
        for wrong in [vec![(0, 2)], vec![(2, 1)], vec![(1, 2), (3, 4)], vec![(4, 5), (1, 2)], vec![(8, 9)]] {
            let holes = wrong.into_iter().map(|(first, last)| (DeviceSeq::new(first), DeviceSeq::new(last)));
            let parts = FenceParts { holes: holes.collect(), ..fence.to_parts() };
            assert_eq!(Fence::from_parts(parts.clone()), None, "{parts:?}");
        }
    }

    #[test]
    fn a_base_in_an_epoch_that_is_lost_has_seen_nothing_and_is_closed() {
        let mut fence = Fence::default();
        fence.note(DeviceSeq::new(1), &rejected(1, 7), EpochId::default(), Some(Position::new(100)));
        let lost =
            Base { epoch: EpochId::from_slice(&[9; 16]).unwrap(), seq: DeviceSeq::new(1), ..Base::default() };
        let prev = Digest::new([7; 32]);
        assert_eq!(fence.check(DeviceSeq::new(2), prev, &lost, EpochId::default(), None), Passage::Open);
    }

    #[test]
    fn a_view_is_closed_in_what_its_bases_still_vouch_for() {
        let mut fence = Fence::default();
        let record = rejected(1, 7);
        fence.note(DeviceSeq::new(1), &record, EpochId::default(), Some(Position::new(100)));
        let base = |seq| Base { seq: DeviceSeq::new(seq), ..Base::default() };
        let at = |fence: &Fence, seq, vouched| {
            let epoch = EpochId::default();
            let vouched = Some(Position::new(vouched));
            fence.check(DeviceSeq::new(2), Digest::new([7; 32]), &base(seq), epoch, vouched)
        };
        assert_eq!(at(&fence, 1, 60), Passage::ViewNotClosed { seen: Position::new(100) });
        assert_eq!(at(&fence, 0, 60), Passage::Open);
        fence.cut(Position::new(50));
        assert_eq!(at(&fence, 1, 60), Passage::Open);
        assert_eq!(at(&fence, 1, 40), Passage::ViewNotClosed { seen: Position::new(50) });
    }
}
