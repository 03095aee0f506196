//! What changed between two points: added, retired, moved, and field by field.

use std::collections::BTreeMap;

use crate::field::FieldKey;
use crate::id::EntityId;
use crate::view::{ActivityView, FieldValue, ProgramView, Standing};

/// How an entity changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// It was not there before.
    Added,
    /// It is no longer there.
    Retired,
    /// It stands somewhere else.
    Moved,
    /// A field says something else.
    Revised,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityChange {
    /// The entity.
    pub entity: EntityId,
    /// Its title or name, the later one where there is one.
    pub title: String,
    /// How it changed.
    pub sort: Sort,
    /// The field, for a revision or a move.
    pub field: Option<FieldKey>,
    /// What it said.
    pub before: Option<FieldValue>,
    /// What it says.
    pub after: Option<FieldValue>,
    /// The area it stands in, the later one where there is one; itself for an area, none for the programme and for parties.
    pub area: Option<EntityId>,
    /// What it stands in there: an activity's sub-goal, a sub-goal's area.
    pub parent: Option<EntityId>,
}

struct Line {
    title: String,
    area: Option<EntityId>,
    parent: Option<EntityId>,
    fields: Vec<(FieldKey, Option<FieldValue>)>,
}

/// What it takes to get from `from` to `to`, in the order of `to`, what is gone last.
pub fn diff(from: &ProgramView, to: &ProgramView) -> Vec<EntityChange> {
    let old: BTreeMap<EntityId, Line> = lines(from).into_iter().collect();
    let new = lines(to);
    let mut changes = Vec::new();
    if from.title != to.title {
        changes.push(EntityChange {
            entity: EntityId::default(),
            title: to.title.clone(),
            sort: Sort::Revised,
            field: Some(FieldKey::Title),
            before: Some(FieldValue::Text(from.title.clone())),
            after: Some(FieldValue::Text(to.title.clone())),
            area: None,
            parent: None,
        });
    }
    for (id, line) in &new {
        match old.get(id) {
            None => changes.push(whole(*id, line, Sort::Added)),
            Some(before) => compare(*id, before, line, &mut changes),
        }
    }
    let kept: std::collections::BTreeSet<EntityId> = new.iter().map(|(id, _)| *id).collect();
    let gone = lines(from).into_iter().filter(|(id, _)| !kept.contains(id));
    changes.extend(gone.map(|(id, line)| whole(id, &line, Sort::Retired)));
    changes
}

fn whole(entity: EntityId, line: &Line, sort: Sort) -> EntityChange {
    let (title, area, parent) = (line.title.clone(), line.area, line.parent);
    EntityChange { entity, title, sort, field: None, before: None, after: None, area, parent }
}

fn compare(entity: EntityId, before: &Line, after: &Line, changes: &mut Vec<EntityChange>) {
    let change = |sort, field, old: &Option<FieldValue>, new: &Option<FieldValue>| EntityChange {
        entity,
        title: after.title.clone(),
        sort,
        field: Some(field),
        before: old.clone(),
        after: new.clone(),
        area: after.area,
        parent: after.parent,
    };
    if before.parent != after.parent {
        let (old, new) = (before.parent.map(FieldValue::Entity), after.parent.map(FieldValue::Entity));
        changes.push(change(Sort::Moved, FieldKey::Place, &old, &new));
    }
    for ((field, old), (_, new)) in before.fields.iter().zip(&after.fields) {
        if old != new {
            changes.push(change(Sort::Revised, *field, old, new));
        }
    }
}

fn lines(view: &ProgramView) -> Vec<(EntityId, Line)> {
    let text = |text: &str| Some(FieldValue::Text(text.to_owned()));
    let mut lines = Vec::new();
    for area in &view.areas {
        if area.standing == Standing::InForce {
            let goal = area.goal.clone().map(FieldValue::Text);
            let fields = vec![(FieldKey::Title, text(&area.title)), (FieldKey::Goal, goal)];
            let (title, own) = (area.title.clone(), Some(area.id));
            lines.push((area.id, Line { title, area: own, parent: None, fields }));
        }
        for subgoal in &area.subgoals {
            if subgoal.standing == Standing::InForce {
                let fields = vec![(FieldKey::Title, text(&subgoal.title))];
                let (title, within) = (subgoal.title.clone(), Some(area.id));
                lines.push((subgoal.id, Line { title, area: within, parent: within, fields }));
            }
            let activities = subgoal.activities.iter().filter(|a| a.standing == Standing::InForce);
            lines.extend(
                activities.map(|activity| (activity.id, activity_line(area.id, subgoal.id, activity))),
            );
        }
    }
    for party in view.parties.iter().filter(|party| party.standing == Standing::InForce) {
        let organisation = party.organisation.map(FieldValue::Entity);
        let fields = vec![(FieldKey::Name, text(&party.name)), (FieldKey::Organisation, organisation)];
        lines.push((party.id, Line { title: party.name.clone(), area: None, parent: None, fields }));
    }
    lines
}

fn activity_line(area: EntityId, subgoal: EntityId, activity: &ActivityView) -> Line {
    let text = |text: &Option<String>| text.clone().map(FieldValue::Text);
    let responsible = Some(activity.responsible_text.clone()).filter(|text| !text.is_empty());
    let fields = vec![
        (FieldKey::Title, Some(FieldValue::Text(activity.title.clone()))),
        (FieldKey::Responsible(EntityId::default()), responsible.map(FieldValue::Text)),
        (FieldKey::Lead, activity.lead.map(FieldValue::Entity)),
        (FieldKey::Time, text(&activity.time)),
        (FieldKey::Cost, activity.cost.clone().map(FieldValue::Money)),
        (FieldKey::Comment, text(&activity.comment)),
    ];
    Line { title: activity.title.clone(), area: Some(area), parent: Some(subgoal), fields }
}
