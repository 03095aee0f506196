//! Somebody at work on a replica: edits of every kind at the fall of dice, syncs, and knows what became of each edit.
//!
//! It stands on the client crate alone, as any program does that links it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use radslag_client::ClientError;
use radslag_client::author::Act;
use radslag_client::clock::{SystemClock, SystemIds};
use radslag_client::remote::Remote;
use radslag_client::replica::{Replica, View};
use radslag_core::command::{self, Among, Choice, CommandError, Draft, Edit, To};
use radslag_core::event::{Base, Change};
use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, EventId};
use radslag_core::parse::cost::parse_cost;
use radslag_core::state::EntityKind;
use radslag_core::time::CivilDate;
use radslag_core::view;

use crate::dice::Dice;

/// Everybody works on the first so many activities, so that they get in each other's way.
const ACTIVITIES: usize = 32;
/// How many views back a form may have been opened.
const VIEWS: usize = 6;

/// A replica and the person at it.
pub struct Member {
    /// The replica.
    pub replica: Replica,
    dice: Dice,
    views: Vec<Base>,
    waiting: BTreeSet<EventId>,
}

/// What became of an own event, as its author learned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// It is in the verified log.
    Accepted,
    /// It is in the verified log as a rejection, and in quarantine with its text.
    Rejected(String),
    /// It is in quarantine and will never be in the log.
    Refused(String),
}

/// Where a replica stands once all is confirmed, to compare with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its last record.
    pub position: u64,
    /// The hash of its state.
    pub state_hash: String,
    /// Every conflict and its sides.
    pub conflicts: Vec<(String, Vec<String>)>,
}

impl Member {
    /// Opens the replica in `dir`; what waits there is what becomes known next.
    ///
    /// # Errors
    /// It does not open.
    pub fn open(dir: &Path, seed: u64) -> Result<Self, ClientError> {
        let replica = Replica::open(dir, Arc::new(SystemClock), Arc::new(SystemIds))?;
        let waiting = replica.outbox.iter().map(|event| event.body.event_id).collect();
        let views = vec![replica.base()];
        Ok(Self { replica, dice: Dice::new(seed), views, waiting })
    }

    /// The dice.
    pub const fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    /// Own events whose fate is not known yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Queues one act of at most `room` events: whatever the dice say that the rules take here and now.
    ///
    /// # Errors
    /// The store does not take it.
    ///
    /// # Panics
    /// Nothing that the dice come up with is taken, for long.
    pub fn edit(&mut self, room: usize) -> Result<Vec<EventId>, ClientError> {
        for _ in 0..1000 {
            let Ok(drafts) = self.drafts(room) else { continue };
            let base = self.base();
            let dice = &mut self.dice;
            let reason = dice.chance(20).then(|| format!("Enligt möte {}", dice.below(90)));
            let act = Act { reason, decision: dice.chance(5).then(|| "KS 2026/12".to_owned()) };
            match self.replica.queue(base, drafts, &act, true) {
                // Strict, and already stale in the own view; or dated where it needs a date.
                Err(ClientError::Rejected(_)) => {}
                Err(error) => return Err(error),
                Ok(events) => {
                    self.waiting.extend(&events);
                    self.look();
                    return Ok(events);
                }
            }
        }
        panic!("the rules decline whatever is tried");
    }

    /// What was being looked at: now, or in a form that was opened a while ago.
    fn base(&mut self) -> Base {
        if self.dice.chance(25) { self.dice.pick(&self.views) } else { self.replica.base() }
    }

    fn look(&mut self) {
        let base = self.replica.base();
        if self.views.last() != Some(&base) {
            self.views.push(base);
        }
        if self.views.len() > VIEWS {
            self.views.remove(0);
        }
    }

    fn drafts(&mut self, room: usize) -> Result<Vec<Draft>, CommandError> {
        let view = self.replica.view();
        let dice = &mut self.dice;
        let mut drafts = wished(dice, &view)?;
        // A group is cut rather than more authored than was asked for.
        drafts.truncate(room);
        if dice.chance(10) {
            let days = i32::try_from(dice.below(60)).expect("less than 60") - 20;
            let on = CivilDate::from_days(view.day().days() + days);
            drafts.iter_mut().for_each(|draft| draft.effective_on = on);
        }
        if dice.chance(20) {
            for draft in &mut drafts {
                draft.expect = written(draft)
                    .map(|(entity, field)| command::expectations(&view.state, view.day(), entity, field))
                    .into_iter()
                    .collect();
            }
            // In a group, the sides that a member leaves behind are not those that the next one finds.
            drafts.truncate(1);
        }
        Ok(drafts)
    }

    /// Pulls, hands in what waits, and pulls until it has seen it.
    ///
    /// # Errors
    /// The server has gone, or what it says does not verify.
    pub async fn sync(&mut self, remote: &Remote) -> Result<(), ClientError> {
        self.replica.sync(remote, |_, _| {}).await?;
        self.look();
        Ok(())
    }

    /// What became known of own events since this was last asked.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn learned(&mut self) -> Result<Vec<(EventId, Learned)>, ClientError> {
        let queued: BTreeSet<EventId> = self.replica.outbox.iter().map(|event| event.body.event_id).collect();
        let known: Vec<EventId> = self.waiting.difference(&queued).copied().collect();
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let quarantined = self.replica.quarantined()?;
        let fate = |event: EventId| {
            let kept = quarantined.iter().find(|kept| kept.body.event_id == event);
            match kept {
                None => Learned::Accepted,
                Some(kept) if kept.rejected => Learned::Rejected(kept.reason.clone()),
                Some(kept) => Learned::Refused(kept.reason.clone()),
            }
        };
        self.waiting = queued;
        Ok(known.into_iter().map(|event| (event, fate(event))).collect())
    }

    /// Where the confirmed programme stands.
    pub fn standing(&self) -> Standing {
        let state = &self.replica.ledger.state;
        let conflict = |conflict: &view::Conflict<'_>| {
            let sides = conflict.sides.iter().map(|side| side.event.to_string()).collect();
            (conflict.id.to_string(), sides)
        };
        Standing {
            position: state.head().get(),
            state_hash: state.hash().to_string(),
            conflicts: view::conflicts(state).iter().map(conflict).collect(),
        }
    }
}

/// The one field that a draft of ours writes.
fn written(draft: &Draft) -> Option<(EntityId, FieldKey)> {
    Some(match &draft.change {
        Change::FieldRevised { entity, field, .. } | Change::ConflictResolved { entity, field, .. } => {
            (*entity, *field)
        }
        Change::ResponsibleAssigned { activity, party }
        | Change::ResponsibleUnassigned { activity, party } => (*activity, FieldKey::Responsible(*party)),
        Change::Placed { entity, .. } => (*entity, FieldKey::Place),
        Change::Retired { entity, .. } | Change::Restored { entity } => (*entity, FieldKey::Life),
        _ => return None,
    })
}

fn all_of(view: &View<'_>, kind: EntityKind) -> Vec<EntityId> {
    view.state.entities().filter(|(_, entity)| entity.kind == kind).map(|(id, _)| id).collect()
}

/// What somebody wants to change, turned into drafts as the commands do.
fn wished(dice: &mut Dice, view: &View<'_>) -> Result<Vec<Draft>, CommandError> {
    let mut activities = all_of(view, EntityKind::Activity);
    activities.truncate(ACTIVITIES);
    let activity = dice.pick(&activities);
    let (state, day) = (&view.state, view.day());
    match dice.below(20) {
        0..=8 => command::revise(state, view, day, activity, &[edit(dice, view)]),
        9..=11 => {
            let edits: Vec<Edit> = (0..2 + dice.below(2)).map(|_| edit(dice, view)).collect();
            let mut once: Vec<Edit> = Vec::new();
            for edit in edits {
                if once.iter().all(|other| other.field != edit.field) {
                    once.push(edit);
                }
            }
            command::revise(state, view, day, activity, &once)
        }
        12..=13 => {
            let parent = dice.pick(&all_of(view, EntityKind::Subgoal));
            let among = dice.pick(&[Among::First, Among::Last]);
            command::place(state, day, activity, parent, among).map(|draft| vec![draft])
        }
        14 => Ok(vec![Draft::new(if state.lives(activity, day) {
            Change::Retired { entity: activity, merged_into: None }
        } else {
            Change::Restored { entity: activity }
        })]),
        _ => settle(dice, view).map(|draft| vec![draft]),
    }
}

fn settle(dice: &mut Dice, view: &View<'_>) -> Result<Draft, CommandError> {
    let open = view::conflicts(&view.state);
    if open.is_empty() {
        return Err(CommandError::NothingToChange);
    }
    let conflict = &open[dice.below(open.len())];
    let text = matches!(conflict.field, FieldKey::Title | FieldKey::Comment | FieldKey::Time);
    let choice = if text && dice.chance(30) {
        Choice::Value(To::Text(format!("Vi enades {}", dice.below(1000))))
    } else {
        Choice::Take(conflict.sides[dice.below(conflict.sides.len())].event)
    };
    command::resolve(conflict, &choice)
}

fn edit(dice: &mut Dice, view: &View<'_>) -> Edit {
    let party = dice.pick(&all_of(view, EntityKind::Party));
    let (field, to) = match dice.below(7) {
        0 => (FieldKey::Title, To::Text(format!("Aktivitet {}", dice.below(200)))),
        1 => (FieldKey::Comment, To::Text(format!("Dialog pågår, läge {}", dice.below(200)))),
        2 => {
            (FieldKey::Time, To::Text(dice.pick(&["Löpande", "våren", "v. 12", "April", "2027"]).to_owned()))
        }
        3 => {
            let cost = parse_cost(&format!("{} tkr", dice.below(300)));
            (FieldKey::Cost, cost.map_or(To::Cleared, To::Cost))
        }
        4 => (FieldKey::Lead, if dice.chance(80) { To::Party(party) } else { To::Cleared }),
        5 => (FieldKey::Comment, To::Cleared),
        _ => (FieldKey::Responsible(party), To::Responsible(dice.chance(50))),
    };
    Edit { field, to }
}
