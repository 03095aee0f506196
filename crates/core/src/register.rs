//! One field as a multi-value register: which writes cover which, what is shown, what disagrees, what is kept.
//!
//! `model.md` in the design says it in five lines; every method here is one of them.

use crate::broken::{self, Variant};
use crate::digest::{Digest, Hasher};
use crate::event::Base;
use crate::field::FieldKey;
use crate::id::{DeviceId, DeviceSeq, EntityId, EpochId, EventId, Position};
use crate::record::First;
use crate::time::{CivilDate, Instant};
use crate::value::ValueRef;

/// A life of the log, opened by a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its id.
    pub id: EpochId,
    /// The last record that the restored log had.
    pub cut: Position,
}

/// Whether the log has an epoch: the first, or one that a record opened.
pub fn knows(epoch: EpochId, epochs: &[Epoch]) -> bool {
    epoch.is_zero() || epochs.iter().any(|known| known.id == epoch)
}

/// The position that a base still vouches for: the least of its own and the cuts of all epochs opened after it.
/// A base in an unknown epoch vouches for nothing, which keeps more sides, never fewer.
pub fn clamp(base: &Base, epochs: &[Epoch]) -> Position {
    if broken::is(Variant::BasesUnclamped) {
        return base.position;
    }
    let later = if base.epoch.is_zero() {
        epochs
    } else {
        match epochs.iter().position(|epoch| epoch.id == base.epoch) {
            Some(index) => &epochs[index + 1..],
            None => return Position::ZERO,
        }
    };
    later.iter().map(|epoch| epoch.cut).fold(base.position, Position::min)
}

/// What a write says, as far as the log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A value that travels beside an event.
    Sealed(ValueRef),
    /// Nothing.
    Cleared,
    /// A party.
    Party(EntityId),
    /// A place.
    Place {
        /// The parent.
        parent: EntityId,
        /// The place among its children.
        order_key: String,
    },
    /// Part of the programme or retired.
    Life {
        /// Whether it is retired.
        retired: bool,
        /// What it was merged into.
        merged_into: Option<EntityId>,
    },
    /// Whether the party is responsible.
    Responsible(bool),
}

/// One write of a field, with all that later writes and readers need to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The event.
    pub event: EventId,
    /// Its place in the log; provisional for an event in an outbox.
    pub position: Position,
    /// The earliest kept write with an equal value when it landed, or itself.
    pub class: EventId,
    /// From which day it applies.
    pub date: CivilDate,
    /// What its author was looking at.
    pub base: Base,
    /// The author's device.
    pub device: DeviceId,
    /// Its number there.
    pub device_seq: DeviceSeq,
    /// From which own number on the device's chain is unbroken up to this one.
    pub chain_from: DeviceSeq,
    /// Where it stood before a restore.
    pub first: Option<First>,
    /// The side whose value it takes.
    pub take: Option<EventId>,
    /// What it says.
    pub content: Content,
    /// When the log took it.
    pub recorded_at: Instant,
    /// When its device says it was written.
    pub authored_at: Instant,
}

impl Write {
    /// Whether the author of this write had seen `other`.
    pub fn has_seen(&self, other: &Write, epochs: &[Epoch]) -> bool {
        if self.take == Some(other.event) {
            return true;
        }
        // A base in an unknown epoch has seen nothing, not even its device's own events: a view without what those had
        // seen would not be closed, and pruning leans on closed views.
        if !knows(self.base.epoch, epochs) {
            return false;
        }
        // What came later was not there; pruning leans on that too. A restore can turn the order round.
        if other.position >= self.position {
            return false;
        }
        let confirmed = other.position <= clamp(&self.base, epochs);
        // A number that was skipped across a restore breaks the chain: before it, the same number may be another machine's.
        let unbroken = other.device_seq >= self.chain_from;
        let own = other.device == self.device && other.device_seq <= self.base.seq && unbroken;
        let before_restore = other
            .first
            .is_some_and(|first| first.epoch == self.base.epoch && first.position <= self.base.position);
        confirmed || own || before_restore
    }

    /// Whether this write stands in for `other`: it has seen it and is dated on or after it.
    pub fn covers(&self, other: &Write, epochs: &[Epoch]) -> bool {
        if broken::is(Variant::LastWriterWins) {
            return self.position > other.position;
        }
        let dated = self.date >= other.date || broken::is(Variant::OlderCoversNewer);
        self.event != other.event && dated && self.has_seen(other, epochs)
    }
}

/// The writes of one field, in order of position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    writes: Vec<Write>,
}

impl Register {
    /// Every write that is still held, in order of position.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Adds a write; its position is after all others'.
    pub fn push(&mut self, write: Write) {
        self.writes.push(write);
    }

    /// The writes dated on or before `day` that no write dated on or before it covers.
    pub fn sides_at(&self, day: CivilDate, epochs: &[Epoch]) -> Vec<&Write> {
        let in_force: Vec<&Write> = self.writes.iter().filter(|write| write.date <= day).collect();
        let uncovered = |side: &&Write| !in_force.iter().any(|other| other.covers(side, epochs));
        in_force.iter().copied().filter(uncovered).collect()
    }

    /// The side that is shown on `day`: the one with the greatest date, then position.
    pub fn shown_at(&self, day: CivilDate, epochs: &[Epoch]) -> Option<&Write> {
        self.sides_at(day, epochs).into_iter().max_by_key(|side| (side.date, side.position))
    }

    /// Whether two sides on `day` say different things and neither author had seen the other's.
    pub fn conflict_at(&self, day: CivilDate, epochs: &[Epoch]) -> bool {
        let sides = self.sides_at(day, epochs);
        sides.iter().enumerate().any(|(i, one)| sides[i + 1..].iter().any(|two| disagree(one, two, epochs)))
    }

    /// The sides of the field: those of `today` and of every later day that one of its writes carries.
    pub fn sides(&self, today: CivilDate, epochs: &[Epoch]) -> Vec<&Write> {
        let days = self.days(today);
        let mut kept = std::collections::BTreeMap::new();
        for day in days {
            kept.extend(self.sides_at(day, epochs).into_iter().map(|side| (side.position, side)));
        }
        kept.into_values().collect()
    }

    /// Whether the field is in conflict today or on a later day that one of its writes carries.
    pub fn in_conflict(&self, today: CivilDate, epochs: &[Epoch]) -> bool {
        self.writes.len() > 1 && self.days(today).into_iter().any(|day| self.conflict_at(day, epochs))
    }

    /// Drops the writes that are no side today nor on any later day. Nothing uncovers a write, so none of them
    /// can become a side again.
    pub fn prune(&mut self, today: CivilDate, epochs: &[Epoch]) {
        if self.writes.len() < 2 {
            return;
        }
        let kept: std::collections::BTreeSet<EventId> =
            self.sides(today, epochs).into_iter().map(|side| side.event).collect();
        self.writes.retain(|write| kept.contains(&write.event));
    }

    /// Takes a write out.
    pub(crate) fn drop_write(&mut self, event: EventId) {
        self.writes.retain(|write| write.event != event);
    }

    fn days(&self, today: CivilDate) -> std::collections::BTreeSet<CivilDate> {
        let later = self.writes.iter().map(|write| write.date).filter(|date| *date > today);
        later.chain([today]).collect()
    }
}

fn disagree(one: &Write, two: &Write, epochs: &[Epoch]) -> bool {
    one.class != two.class && !one.has_seen(two, epochs) && !two.has_seen(one, epochs)
}

/// The id of a conflict: the same in every replica that holds the same sides.
pub fn conflict_id(entity: EntityId, field: FieldKey, sides: &[&Write]) -> Digest {
    let mut ids: Vec<EventId> = sides.iter().map(|side| side.event).collect();
    ids.sort_unstable();
    let mut hasher = Hasher::new("radslag/conflict/v1\n");
    hasher.put(entity.bytes()).put_u16(field.number()).put(field.qualifier().bytes());
    for id in ids {
        hasher.put(id.bytes());
    }
    hasher.finish()
}
