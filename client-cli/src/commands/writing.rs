//! What all commands that change something share: what they look at, from which day the change applies, how it is queued, and what
//! is said of it.

use radslag_client::ClientError;
use radslag_client::author::Act;
use radslag_client::replica::{Replica, View};
use radslag_core::command::Draft;
use radslag_core::event::{Base, Change};
use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, EventId};
use radslag_core::rejection::Rejection;
use radslag_core::time::CivilDate;
use serde_json::json;

use super::edit::cell;
use super::{Place, ground, meets};
use crate::args::{Beside, Why};
use crate::error::CliError;
use crate::shape::Ground;
use crate::ui::{Lang, Ui};
use crate::when;

/// How many events are named one by one.
const NAMED: usize = 8;

/// What somebody who changes something has before them.
pub struct Form<'a> {
    /// The programme as it is shown, for finding what is named.
    pub ground: &'a Ground<'a>,
    /// The day from which the change applies.
    pub on: CivilDate,
    /// A fresh id for what may be added.
    pub new: EntityId,
}

/// Makes drafts in sight of what their author was looking at and queues them.
pub fn change(
    place: &Place,
    beside: &Beside,
    draft: impl FnOnce(&Form<'_>) -> Result<Vec<Draft>, CliError>,
) -> Result<(), CliError> {
    let stated = beside.on()?;
    let mut replica = place.open()?;
    let new = EntityId::new(replica.ids.random_id());
    let view = match &beside.why.base {
        Some(form) => replica.view_of_for(form, stated)?,
        None => replica.view_for(stated)?,
    };
    let ground = ground(&view);
    let on = stated.unwrap_or(ground.day);
    let drafts = dated(draft(&Form { ground: &ground, on, new })?, stated);
    let seen = Seen::of(place.ui, &view, &drafts);
    drop(view);
    hand_over(place.ui, &mut replica, seen, drafts, &beside.why)?;
    Ok(replica.close()?)
}

impl Beside {
    /// The day from which the change applies, where that is stated.
    pub fn on(&self) -> Result<Option<CivilDate>, CliError> {
        self.effective.as_deref().map(|text| when::day("--effective", text)).transpose()
    }
}

impl Why {
    /// What the change is made in sight of: what its author was looking at, else what the replica shows now.
    pub fn view<'a>(&self, replica: &'a Replica) -> Result<View<'a>, CliError> {
        Ok(self.base.as_ref().map_or_else(|| Ok(replica.view()), |form| replica.view_of(form))?)
    }

    /// The reason and decision for the events.
    pub fn act(&self) -> Result<Act, CliError> {
        let given = |option, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            text.map(|text| cell(option, text)).transpose()
        };
        let reason = given("--reason", &self.reason)?;
        Ok(Act { reason, decision: given("--decision", &self.decision)? })
    }
}

/// The drafts with the date that was stated, if one was.
pub fn dated(mut drafts: Vec<Draft>, stated: Option<CivilDate>) -> Vec<Draft> {
    if stated.is_some() {
        drafts.iter_mut().for_each(|draft| draft.effective_on = stated);
    }
    drafts
}

/// Queues the drafts, says so, and says what becomes of the conflicts that their fields were in and what else they meet.
pub fn hand_over(
    ui: Ui,
    replica: &mut Replica,
    seen: Seen,
    drafts: Vec<Draft>,
    why: &Why,
) -> Result<(), CliError> {
    let act = why.act()?;
    let grouped = drafts.len() > 1;
    let on = drafts.first().and_then(|draft| draft.effective_on);
    let queued = replica.queue(seen.base, drafts, &act, grouped);
    let events = queued.map_err(|error| with_dates(ui, replica, error))?;
    say_queued(ui, replica, &events, on)?;
    let (view, mut said) = (replica.view(), Vec::new());
    for conflict in seen.conflicts {
        if conflict.say(ui, &view, &events) {
            said.push((conflict.entity, conflict.field));
        }
    }
    meets::say(ui, &view, &events, &said);
    Ok(())
}

/// What the author of a change had before them.
pub struct Seen {
    base: Base,
    conflicts: Vec<InConflict>,
}

/// A field that is written while it is in conflict.
struct InConflict {
    entity: EntityId,
    field: FieldKey,
    resolved: bool,
    events: Vec<EventId>,
    sides: String,
}

impl Seen {
    /// In sight of a view: its base, and the conflicts that the drafts are about.
    pub fn of(ui: Ui, view: &View<'_>, drafts: &[Draft]) -> Self {
        let ground = ground(view);
        let mut conflicts = Vec::new();
        for draft in drafts {
            let Some((entity, field)) = draft.field() else { continue };
            let Some(register) = ground.state.register(entity, field) else { continue };
            if !register.in_conflict(ground.day, ground.state.epochs()) {
                continue;
            }
            let sides = register.sides(ground.day, ground.state.epochs());
            let events = sides.iter().map(|side| side.event).collect();
            let sides: Vec<String> = sides
                .into_iter()
                .map(|side| {
                    format!("{} ({})", ground.text(ui, field, Some(&side.content)), ground.author(side).0)
                })
                .collect();
            let resolved = matches!(draft.change, Change::ConflictResolved { .. });
            conflicts.push(InConflict { entity, field, resolved, events, sides: sides.join(", ") });
        }
        Self { base: view.base, conflicts }
    }
}

impl InConflict {
    /// A plain edit in sight of the sides settles a conflict too, and nobody should be surprised by it; a date can leave it open.
    /// Says whether it said so; a side that came unseen is another matter.
    fn say(&self, ui: Ui, view: &View<'_>, own: &[EventId]) -> bool {
        let ground = ground(view);
        let epochs = ground.state.epochs();
        let register = ground.state.register(self.entity, self.field);
        let left = register.filter(|register| register.in_conflict(ground.day, epochs));
        let unseen = left.is_some_and(|register| {
            let sides = register.sides(ground.day, epochs);
            sides.iter().any(|side| !own.contains(&side.event) && !self.events.contains(&side.event))
        });
        let what = match (left.is_some(), self.resolved) {
            _ if unseen => return false,
            (false, true) => return false,
            (false, false) => ui.text("detta avgör konflikten om", "this settles the conflict about"),
            (true, _) => ui.text(
                "för någon dag är sidorna fortfarande oense, så konflikten är kvar om",
                "on some day the sides still disagree, so the conflict stays open about",
            ),
        };
        ui.say(&format!("{what} {}: {}", ground.field(ui, self.field), self.sides));
        true
    }
}

/// An edit that has to say its own date: which later value its author has seen, and what to type.
pub fn with_dates(ui: Ui, replica: &Replica, error: ClientError) -> CliError {
    let ClientError::Rejected(rejection) = error else { return error.into() };
    let Rejection::DateNeeded { entity, field, latest } = *rejection else {
        return ClientError::Rejected(rejection).into();
    };
    let view = replica.view();
    let ground = ground(&view);
    let register = ground.state.register(entity, field);
    let writes = register.map(radslag_core::register::Register::writes).unwrap_or_default();
    let later: Vec<String> = writes
        .iter()
        .filter(|write| write.date > ground.day)
        .map(|write| {
            let (org, member) = ground.author(write);
            let value = ground.text(ui, field, Some(&write.content));
            let from = ui.text("från", "from");
            format!("{value} {from} {} ({org}, {member}, {})", write.date, write.event.short())
        })
        .collect();
    let (title, name, later) = (ground.title(entity), ground.field(ui, field), later.join("; "));
    let today = ground.day;
    match ui.lang {
        Lang::Sv => CliError::refused(
            format!("{title}: {name} har redan ett senare värde, {later}; ändringen behöver ett eget datum"),
            format!(
                "--effective {latest} ändrar vad som gäller från den dagen, --effective {today} vad som gäller tills dess"
            ),
        ),
        Lang::En => CliError::refused(
            format!("{title}: {name} has a later value already, {later}; the change needs a date of its own"),
            format!(
                "--effective {latest} changes what applies from that day on, --effective {today} what applies until then"
            ),
        ),
    }
}

/// Says what was queued.
pub fn say_queued(
    ui: Ui,
    replica: &Replica,
    events: &[EventId],
    on: Option<CivilDate>,
) -> Result<(), CliError> {
    if ui.json() {
        let ids: Vec<String> = events.iter().map(ToString::to_string).collect();
        return ui.object(&json!({"queued": ids, "outbox": replica.outbox.len()}));
    }
    // A table's worth of ids helps nobody; the outbox lists them.
    let list = if events.len() > NAMED {
        format!("{} {}", events.len(), ui.text("ändringar", "changes"))
    } else {
        events.iter().map(EventId::short).collect::<Vec<_>>().join(", ")
    };
    let from = on.map_or_else(String::new, |on| format!(", {} {on}", ui.text("gäller från", "applies from")));
    ui.line(&match ui.lang {
        Lang::Sv => format!("köad, inte synkroniserad: {list}{from}   (radslag sync skickar)"),
        Lang::En => format!("queued, not synced: {list}{from}   (radslag sync sends)"),
    })
}
