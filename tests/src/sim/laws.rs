//! The laws of sync, checked on a world that has come to rest, from the records alone and by their own code.

use std::collections::{BTreeMap, BTreeSet};

use radslag_core::event::{Base, Change, EventBody};
use radslag_core::field::FieldKey;
use radslag_core::fold;
use radslag_core::id::{DeviceId, DeviceSeq, EntityId, EpochId, EventId, Position};
use radslag_core::record::{Entry, First, Recorded};
use radslag_core::time::CivilDate;
use radslag_engine::ledger::Ledger;

use super::Report;
use super::member::{device_of, recorded};
use super::world::{World, stands};

/// Checks every law.
///
/// # Errors
/// The first that is broken.
pub fn check(world: &World) -> Result<Report, String> {
    let records = recorded(world.server.disk.as_ref(), world.program)?;
    one_outcome_each(world, &records)?;
    all_the_same(world)?;
    nothing_lost(world, &records)?;
    seen_is_what_was_shown(world, &records)?;
    nothing_rewritten(world)?;
    order_of_time(world, &records)?;
    conditions_held(&records)?;
    let rejected = records.iter().filter(|record| record.body().is_none()).count();
    let programme = world.server.programme().ok_or("there is no programme")?;
    let conflicts = programme.published().state.conflicts().len();
    Ok(Report { records: records.len(), rejected, conflicts, ..world.report })
}

/// Law 1: exactly one remembered outcome for each authored event, and every rejection reaches its author.
fn one_outcome_each(world: &World, records: &[Recorded]) -> Result<(), String> {
    let mut outcomes: BTreeMap<EventId, Vec<&Recorded>> = BTreeMap::new();
    for record in records {
        outcomes.entry(record.event_id).or_default().push(record);
    }
    let mut quarantined: BTreeMap<EventId, usize> = BTreeMap::new();
    for member in &world.members {
        let kept = member.replica.quarantined().map_err(|error| format!("quarantine: {error}"))?;
        for own in kept {
            *quarantined.entry(own.body.event_id).or_default() += 1;
        }
        let told = member.replica.fork().map_err(|error| format!("fork: {error}"))?;
        if told.is_some() && !member.copied {
            let what = "a device that nobody copied is told that another machine uses its id";
            return Err(format!("law 1: {what}"));
        }
        if member.replica.still_lost() > 0 {
            return Err(format!(
                "law 1: {} records are still lost to a restore",
                member.replica.still_lost()
            ));
        }
        if !member.replica.outbox.is_empty() {
            return Err(format!("law 1: {} events still wait in an outbox", member.replica.outbox.len()));
        }
    }
    for (event, authored) in &world.book {
        let all = outcomes.get(event).map(Vec::as_slice).unwrap_or_default();
        // Records under the same id by somebody else are rejections of theirs.
        let own: Vec<_> = all.iter().filter(|record| device_of(record) != world.mallory_device()).collect();
        let kept = quarantined.contains_key(event);
        match own.as_slice() {
            [one] if one.body().is_some() => {
                if kept {
                    return Err("law 1: an accepted event is in quarantine".to_owned());
                }
                // Its copied device cannot know that what a restore took from the log still is in other municipalities' hands.
                let taken = world.ended.values().any(|log| log.contains_key(event));
                // Nor whether a message that it gave up on was still to arrive.
                let late = authored.closed.is_some_and(|at| one.position > at);
                if authored.closed.is_some() && !taken && !late {
                    return Err("law 1: an event that was written anew has landed too".to_owned());
                }
            }
            // Its author knows, or has dealt with it since.
            [_] | [] if kept || authored.closed.is_some() => {}
            [_] => return Err("law 1: a rejection has not reached its author".to_owned()),
            [] => return Err("law 1: an event has vanished".to_owned()),
            _ => return Err("law 1: an event has two outcomes".to_owned()),
        }
    }
    Ok(())
}

/// Law 2: after quiet, all replicas and the server have the same state; and the log verifies from its first record.
fn all_the_same(world: &World) -> Result<(), String> {
    let programme = world.server.programme().ok_or("there is no programme")?;
    let published = programme.published();
    let (head, hash) = (published.state.head(), published.state.hash());
    for member in &world.members {
        let state = &member.replica.ledger.state;
        if state.head() != head {
            return Err(format!("law 2: a replica is at {}, the server at {head}", state.head()));
        }
        if state.hash() != hash {
            return Err("law 2: a replica's programme is not the server's".to_owned());
        }
    }
    let verified = Ledger::verify(world.server.disk.as_ref(), world.program)
        .map_err(|error| format!("law 2: the log does not verify: {error}"))?;
    if verified.state.hash() == hash {
        Ok(())
    } else {
        Err("law 2: the programme is not what its log says".to_owned())
    }
}

/// What the log alone says of one write.
struct Write<'a> {
    event: EventId,
    position: Position,
    date: CivilDate,
    first: Option<First>,
    chain_from: DeviceSeq,
    body: &'a EventBody,
}

type Epochs = Vec<(EpochId, Position)>;

/// What a base still vouches for; nothing at all where the log does not have its epoch.
fn vouched(base: &Base, epochs: &Epochs) -> Option<Position> {
    let opened = epochs.iter().position(|(id, _)| *id == base.epoch);
    let later = match opened {
        Some(index) => &epochs[index + 1..],
        None if base.epoch.is_zero() => &epochs[..],
        None => return None,
    };
    Some(later.iter().map(|(_, cut)| *cut).fold(base.position, Position::min))
}

/// Whether `later` says that its author had seen `earlier`.
fn says_seen(later: &Write<'_>, earlier: &Write<'_>, epochs: &Epochs) -> bool {
    let taken = matches!(&later.body.change,
        Change::ConflictResolved { take: Some(take), .. } if *take == earlier.event);
    taken || (earlier.position < later.position && base_holds(later, earlier, epochs))
}

/// Whether the base of `later` says so.
fn base_holds(later: &Write<'_>, earlier: &Write<'_>, epochs: &Epochs) -> bool {
    let base = &later.body.base;
    let Some(vouched) = vouched(base, epochs) else { return false };
    let own = earlier.body.device_id == later.body.device_id
        && (later.chain_from..=base.seq).contains(&earlier.body.device_seq);
    let stood =
        earlier.first.is_some_and(|first| first.epoch == base.epoch && first.position <= base.position);
    own || stood || earlier.position <= vouched
}

fn epochs(records: &[Recorded]) -> Epochs {
    let opened = |record: &Recorded| match record.body().map(|body| &body.change) {
        Some(Change::EpochOpened { epoch_id, cut_position, .. }) => Some((*epoch_id, *cut_position)),
        _ => None,
    };
    records.iter().filter_map(opened).collect()
}

/// From which number on each device's chain is unbroken, record by record.
fn chains(records: &[Recorded]) -> Vec<DeviceSeq> {
    let mut last: BTreeMap<DeviceId, (DeviceSeq, DeviceSeq)> = BTreeMap::new();
    let mut chains = Vec::with_capacity(records.len());
    for record in records {
        let (device, seq) = (device_of(record), number_of(record));
        let (from, end) = last.get(&device).copied().unwrap_or((seq, seq.previous()));
        if seq == end.next() {
            chains.push(from);
            last.insert(device, (from, seq));
        } else {
            chains.push(seq);
            if seq > end {
                last.insert(device, (seq, seq));
            }
        }
    }
    chains
}

/// Every write of every field, in order.
fn writes(records: &[Recorded]) -> BTreeMap<(EntityId, FieldKey), Vec<Write<'_>>> {
    let mut writes: BTreeMap<_, Vec<Write<'_>>> = BTreeMap::new();
    for (record, chain_from) in records.iter().zip(chains(records)) {
        let Entry::Accepted { body, facts } = &record.entry else { continue };
        for written in fold::field_writes(body) {
            let date = body.effective_on.or(facts.applies_on).unwrap_or(facts.recorded_on);
            let (event, position, first) = (record.event_id, record.position, facts.first);
            let write = Write { event, position, date, first, chain_from, body };
            writes.entry((written.entity, written.field)).or_default().push(write);
        }
    }
    writes
}

/// The sides of a field: at `today` and at each later day that a write carries, the writes that no other covers.
fn sides(writes: &[Write<'_>], today: CivilDate, epochs: &Epochs) -> BTreeSet<EventId> {
    let later = writes.iter().map(|write| write.date).filter(|date| *date > today);
    let days: BTreeSet<CivilDate> = later.chain([today]).collect();
    let mut sides = BTreeSet::new();
    for day in days {
        for side in writes.iter().filter(|write| write.date <= day) {
            let covered = writes.iter().any(|other| {
                let in_force = other.date <= day && other.date >= side.date;
                other.event != side.event && in_force && says_seen(other, side, epochs)
            });
            if !covered {
                sides.insert(side.event);
            }
        }
    }
    sides
}

/// Law 3: every accepted write is still a side, or one that had seen it and is dated on or after it took its place.
///
/// # Errors
/// One was lost, or stands although another covers it.
pub fn nothing_lost(world: &World, records: &[Recorded]) -> Result<(), String> {
    let programme = world.server.programme().ok_or("there is no programme")?;
    let published = programme.published();
    let Some(today) = published.state.today() else { return Ok(()) };
    let epochs = epochs(records);
    for ((entity, field), writes) in writes(records) {
        let own = sides(&writes, today, &epochs);
        let register = published.state.register(entity, field);
        let shown =
            register.map(|register| register.sides(today, published.state.epochs())).unwrap_or_default();
        let shown: BTreeSet<EventId> = shown.iter().map(|side| side.event).collect();
        if let Some(lost) = own.difference(&shown).next() {
            return Err(format!("law 3: a write of {} was lost silently: {}", field.name(), lost.short()));
        }
        if shown != own {
            return Err(format!("law 3: a write of {} is a side although it is covered", field.name()));
        }
    }
    Ok(())
}

/// Law 4: what the envelope says its author had seen is what their view contained.
fn seen_is_what_was_shown(world: &World, records: &[Recorded]) -> Result<(), String> {
    let epochs = epochs(records);
    let now = stands(records);
    let accepted: Vec<Write<'_>> = records.iter().zip(chains(records)).filter_map(written).collect();
    for record in &accepted {
        let body = record.body;
        let Some(authored) = world.book.get(&record.event) else { continue };
        // Somebody else's event under an id that was taken in vain, after a restore had made it free.
        if body.device_id == world.mallory_device() {
            continue;
        }
        let shown = &authored.shown;
        let log = world.ended.get(&shown.epoch).unwrap_or(&now);
        for earlier in accepted.iter().take_while(|earlier| earlier.position < record.position) {
            // A device's enrolment, which says nothing about any field, is nothing that anybody looks at.
            if fold::field_writes(earlier.body).is_empty() {
                continue;
            }
            // What was shown is told by its id; this is somebody else's under the same.
            if earlier.body.device_id == world.mallory_device() && world.book.contains_key(&earlier.event) {
                continue;
            }
            let stood = log.get(&earlier.event).copied();
            let confirmed = stood.is_some_and(|stood| stood <= shown.confirmed);
            let was_shown = confirmed || shown.waiting.contains(&earlier.event);
            let first = earlier.first;
            let says = base_holds(record, earlier, &epochs);
            let broken =
                earlier.body.device_id == body.device_id && earlier.body.device_seq < record.chain_from;
            // It stands elsewhere than its author saw it, and nothing proves that place; or the epoch of the base is lost.
            let proved =
                first.is_some_and(|first| first.epoch == body.base.epoch && Some(first.position) == stood);
            let held =
                |at: Position| vouched(&Base { epoch: shown.epoch, position: at, ..body.base }, &epochs);
            let moved = stood.is_some_and(|at| held(at) != Some(at)) && !proved;
            let lost = vouched(&body.base, &epochs).is_none();
            // More sides, never fewer: an envelope may say less than was shown where it was written anew or a restore came
            // between.
            if was_shown != says && !(was_shown && (authored.anew || moved || lost || broken)) {
                return Err(format!(
                    "law 4: the event at {} {} position {}, and its author {} it",
                    record.position,
                    if says { "says that it has seen" } else { "does not say that it has seen" },
                    earlier.position,
                    if was_shown { "saw" } else { "never saw" },
                ));
            }
        }
    }
    Ok(())
}

/// A record's event with what the log says about it.
fn written((record, chain_from): (&Recorded, DeviceSeq)) -> Option<Write<'_>> {
    let Entry::Accepted { body, facts } = &record.entry else { return None };
    let (event, position, first) = (record.event_id, record.position, facts.first);
    Some(Write { event, position, date: record.recorded_on(), first, chain_from, body })
}

/// Law 5: what a replica shows as confirmed is what the server's log holds there.
fn nothing_rewritten(world: &World) -> Result<(), String> {
    let longest = world.members.iter().map(|member| &member.confirmed).max_by_key(|shown| shown.len());
    let Some(longest) = longest else { return Ok(()) };
    for member in &world.members {
        if member.confirmed[..] != longest[..member.confirmed.len()] {
            return Err("law 5: two replicas hold different records at one position".to_owned());
        }
    }
    Ok(())
}

/// The history is one that could have happened on one machine: what was acknowledged stands where it was said to, and
/// what was begun after an acknowledgement stands after it.
fn order_of_time(world: &World, records: &[Recorded]) -> Result<(), String> {
    let stands = stands(records);
    let mut acknowledged = Vec::new();
    for (event, authored) in &world.book {
        let Some((heard, position)) = authored.heard else { continue };
        let at = records.get(usize::try_from(position.get()).unwrap_or(usize::MAX).wrapping_sub(1));
        if at.is_none_or(|record| record.event_id != *event) {
            return Err(format!("history: an acknowledged event does not stand at {position}"));
        }
        acknowledged.push((heard, position));
    }
    acknowledged.sort_unstable();
    let mut greatest = Vec::with_capacity(acknowledged.len());
    for (heard, position) in acknowledged {
        let before = greatest.last().map_or(Position::ZERO, |(_, position)| *position);
        greatest.push((heard, before.max(position)));
    }
    for (event, authored) in &world.book {
        let (Some(sent), Some(position)) = (authored.sent, stands.get(event)) else { continue };
        let known = greatest.partition_point(|(heard, _)| *heard < sent);
        let before = known.checked_sub(1).map_or(Position::ZERO, |index| greatest[index].1);
        if *position <= before {
            return Err(format!(
                "history: an event handed in after {before} was acknowledged stands at {position}"
            ));
        }
    }
    Ok(())
}

/// Every strict event that was accepted found its fields as its author had seen them.
fn conditions_held(records: &[Recorded]) -> Result<(), String> {
    for (index, record) in records.iter().enumerate() {
        let Some(body) = record.body().filter(|body| !body.expect.is_empty()) else { continue };
        // One that a restore lost was judged where it stood first.
        if matches!(&record.entry, Entry::Accepted { facts, .. } if facts.first.is_some()) {
            continue;
        }
        let before = &records[..index];
        let (epochs, writes) = (epochs(before), writes(before));
        for expected in &body.expect {
            let field = writes.get(&(expected.entity, expected.field));
            let own = field.map(|writes| sides(writes, record.recorded_on(), &epochs)).unwrap_or_default();
            if !own.iter().copied().eq(expected.sides.iter().copied()) {
                return Err(format!(
                    "conditions: the strict event at {} landed on other sides",
                    record.position
                ));
            }
        }
    }
    Ok(())
}

/// The last number of each device, for a failing run's report.
pub fn last_numbers(records: &[Recorded]) -> BTreeMap<DeviceId, DeviceSeq> {
    let mut last = BTreeMap::new();
    for record in records {
        last.insert(device_of(record), number_of(record));
    }
    last
}

fn number_of(record: &Recorded) -> DeviceSeq {
    match &record.entry {
        Entry::Accepted { body, .. } => body.device_seq,
        Entry::Rejected(facts) => facts.device_seq,
    }
}
