//! The programme as people read it: areas, sub-goals and activities in order, with what each field shows on a day.
//!
//! A view is derived from a state and its values; nothing here is hashed or stored, so layouts may improve.

use crate::digest::Digest;
use crate::event::{PartyKind, Source};
use crate::field::FieldKey;
use crate::id::EntityId;
use crate::parse::cost::Cost;
use crate::parse::responsible::{names_exactly, render_responsible};
use crate::register::{Content, Write, conflict_id};
use crate::state::{Entity, EntityKind, State};
use crate::time::CivilDate;
use crate::value::Values;

/// The version of the parsers and layouts behind a view.
pub const VIEW_VERSION: u32 = 1;

/// What stands where a value was forgotten.
pub const REDACTED: &str = "[gallrad]";

/// What a field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// Title, goal, comment, time, name; a responsible line.
    Text(String),
    /// Cost.
    Money(Cost),
    /// Lead or organisation: a party. Place: the parent.
    Entity(EntityId),
    /// Responsible or not; part of the programme or not.
    Flag(bool),
    /// The value was forgotten.
    Redacted,
}

/// What `content` of `field` says; none where the field was emptied.
pub fn field_value(field: FieldKey, content: &Content, values: &dyn Values) -> Option<FieldValue> {
    match content {
        Content::Cleared => None,
        Content::Party(party) => Some(FieldValue::Entity(*party)),
        Content::Place { parent, .. } => Some(FieldValue::Entity(*parent)),
        Content::Life { retired, .. } => Some(FieldValue::Flag(!retired)),
        Content::Responsible(responsible) => Some(FieldValue::Flag(*responsible)),
        Content::Sealed(at) => Some(match values.bytes(*at) {
            None => FieldValue::Redacted,
            Some(bytes) if field == FieldKey::Cost => FieldValue::Money(
                Cost::from_value_bytes(&bytes)
                    .unwrap_or(Cost { amount: None, raw: String::from_utf8_lossy(&bytes).into_owned() }),
            ),
            Some(bytes) => FieldValue::Text(String::from_utf8_lossy(&bytes).into_owned()),
        }),
    }
}

/// A disagreement that somebody has to settle.
#[derive(Clone, Debug)]
pub struct Conflict<'a> {
    /// The same in every replica.
    pub id: Digest,
    /// The entity.
    pub entity: EntityId,
    /// The field.
    pub field: FieldKey,
    /// All sides, by position.
    pub sides: Vec<&'a Write>,
    /// How much it matters.
    pub weight: Weight,
}

/// How much a conflict matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// A notice.
    Low,
    /// Words.
    Medium,
    /// Money, who leads, whether it exists.
    High,
}

/// Every open conflict, by entity and field.
pub fn conflicts(state: &State) -> Vec<Conflict<'_>> {
    let open = state.conflicts().into_iter();
    open.map(|(entity, field, sides)| Conflict {
        id: conflict_id(entity, field, &sides),
        entity,
        field,
        weight: weight(field),
        sides,
    })
    .collect()
}

const fn weight(field: FieldKey) -> Weight {
    match field {
        FieldKey::Cost | FieldKey::Lead | FieldKey::Life => Weight::High,
        FieldKey::Title
        | FieldKey::Goal
        | FieldKey::Comment
        | FieldKey::Time
        | FieldKey::Name
        | FieldKey::Organisation
        | FieldKey::Place => Weight::Medium,
        FieldKey::Responsible(_) => Weight::Low,
    }
}

/// Whether an entity is part of the programme on the view's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    InForce,
    /// It is not yet: its addition is dated later.
    NotYet,
    /// It was retired; shown only because something that lives still stands in it.
    Retired,
}

/// An area in the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaView {
    /// Its id.
    pub id: EntityId,
    /// Its name.
    pub title: String,
    /// Its main goal.
    pub goal: Option<String>,
    /// Where it was imported from.
    pub source: Option<Source>,
    /// Whether it is in force.
    pub standing: Standing,
    /// In order.
    pub subgoals: Vec<SubgoalView>,
}

/// A sub-goal in the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubgoalView {
    /// Its id.
    pub id: EntityId,
    /// What it says.
    pub title: String,
    /// Where it was imported from.
    pub source: Option<Source>,
    /// Whether it is in force.
    pub standing: Standing,
    /// In order.
    pub activities: Vec<ActivityView>,
}

/// An activity in the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityView {
    /// Its id.
    pub id: EntityId,
    /// What is done.
    pub title: String,
    /// Who is responsible, as shown.
    pub responsible_text: String,
    /// The responsible parties, by name.
    pub responsible: Vec<EntityId>,
    /// The party that leads.
    pub lead: Option<EntityId>,
    /// When, as written.
    pub time: Option<String>,
    /// What it costs.
    pub cost: Option<Cost>,
    /// The comment.
    pub comment: Option<String>,
    /// Where it was imported from.
    pub source: Option<Source>,
    /// Whether it is in force.
    pub standing: Standing,
    /// Fields in conflict.
    pub conflicting: Vec<FieldKey>,
    /// The least and the greatest amount that a side of the cost says, in öre; equal unless it is in conflict.
    pub cost_range: (i64, i64),
}

/// A party in the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyView {
    /// Its id.
    pub id: EntityId,
    /// Its name.
    pub name: String,
    /// What sort.
    pub kind: Option<PartyKind>,
    /// The organisation that a person belongs to.
    pub organisation: Option<EntityId>,
}

/// What all activities cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostSum {
    /// In öre, where every conflict takes its least amount.
    pub low: i64,
    /// In öre, where every conflict takes its greatest amount.
    pub high: i64,
    /// Activities whose cost is not known.
    pub missing: usize,
}

/// The programme on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramView {
    /// Its title.
    pub title: String,
    /// In order.
    pub areas: Vec<AreaView>,
    /// By name.
    pub parties: Vec<PartyView>,
    /// What it costs.
    pub cost: CostSum,
}

impl ProgramView {
    /// Every activity in order, with the sub-goal and area it stands in.
    pub fn activities(&self) -> impl Iterator<Item = (&AreaView, &SubgoalView, &ActivityView)> {
        self.areas.iter().flat_map(|area| {
            area.subgoals
                .iter()
                .flat_map(move |subgoal| subgoal.activities.iter().map(move |a| (area, subgoal, a)))
        })
    }

    /// Every sub-goal in order.
    pub fn subgoals(&self) -> impl Iterator<Item = &SubgoalView> {
        self.areas.iter().flat_map(|area| area.subgoals.iter())
    }
}

/// Reads the programme on `day`.
pub fn program(state: &State, values: &dyn Values, day: CivilDate) -> ProgramView {
    let reader = Reader { state, values, day };
    let program = EntityId::from(state.program_id());
    let areas: Vec<AreaView> = reader.areas(program);
    let mut view = ProgramView {
        title: reader.text(program, FieldKey::Title).unwrap_or_default(),
        parties: reader.parties(),
        cost: CostSum::default(),
        areas,
    };
    let mut cost = CostSum::default();
    for (_, _, activity) in view.activities() {
        cost.low = cost.low.saturating_add(activity.cost_range.0);
        cost.high = cost.high.saturating_add(activity.cost_range.1);
        cost.missing += usize::from(activity.cost.as_ref().is_none_or(|cost| cost.amount.is_none()));
    }
    view.cost = cost;
    view
}

/// The title or name that an entity shows on `day`; its id's last digits when it has none.
pub fn title(state: &State, values: &dyn Values, entity: EntityId, day: CivilDate) -> String {
    let reader = Reader { state, values, day };
    let field = match state.entity(entity).map(|entity| entity.kind) {
        Some(EntityKind::Party) => FieldKey::Name,
        _ => FieldKey::Title,
    };
    reader.text(entity, field).unwrap_or_else(|| entity.short())
}

struct Reader<'a> {
    state: &'a State,
    values: &'a dyn Values,
    day: CivilDate,
}

impl Reader<'_> {
    fn value(&self, entity: EntityId, field: FieldKey) -> Option<FieldValue> {
        let shown = self.state.shown(entity, field, self.day)?;
        field_value(field, &shown.content, self.values)
    }

    fn text(&self, entity: EntityId, field: FieldKey) -> Option<String> {
        match self.value(entity, field)? {
            FieldValue::Text(text) => Some(text),
            FieldValue::Redacted => Some(REDACTED.to_owned()),
            FieldValue::Money(cost) => Some(cost.raw),
            FieldValue::Entity(_) | FieldValue::Flag(_) => None,
        }
    }

    fn party(&self, entity: EntityId, field: FieldKey) -> Option<EntityId> {
        match self.value(entity, field)? {
            FieldValue::Entity(party) => Some(party),
            FieldValue::Text(_) | FieldValue::Money(_) | FieldValue::Flag(_) | FieldValue::Redacted => None,
        }
    }

    fn standing(&self, entity: EntityId) -> Standing {
        match self.state.shown(entity, FieldKey::Life, self.day).map(|write| &write.content) {
            Some(Content::Life { retired: true, .. }) => Standing::Retired,
            Some(_) => Standing::InForce,
            None => Standing::NotYet,
        }
    }

    /// What stands in `parent`, in order. Something not yet in force stands where its first place puts it.
    fn children(&self, parent: EntityId, kind: EntityKind) -> Vec<(EntityId, &Entity)> {
        let mut found: Vec<(String, EntityId, &Entity)> = Vec::new();
        for (id, entity) in self.state.entities().filter(|(_, entity)| entity.kind == kind) {
            let register = entity.fields.get(&FieldKey::Place);
            let shown = register.and_then(|places| {
                places.shown_at(self.day, self.state.epochs()).or_else(|| places.writes().first())
            });
            if let Some(Content::Place { parent: at, order_key }) = shown.map(|write| &write.content)
                && *at == parent
            {
                found.push((order_key.clone(), id, entity));
            }
        }
        found.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        found.into_iter().map(|(_, id, entity)| (id, entity)).collect()
    }

    fn areas(&self, program: EntityId) -> Vec<AreaView> {
        let areas = self.children(program, EntityKind::Area).into_iter().map(|(id, entity)| AreaView {
            id,
            title: self.text(id, FieldKey::Title).unwrap_or_default(),
            goal: self.text(id, FieldKey::Goal),
            source: entity.source,
            standing: self.standing(id),
            subgoals: self.subgoals(id),
        });
        areas.filter(|area| area.standing != Standing::Retired || !area.subgoals.is_empty()).collect()
    }

    fn subgoals(&self, area: EntityId) -> Vec<SubgoalView> {
        let subgoals = self.children(area, EntityKind::Subgoal).into_iter().map(|(id, entity)| SubgoalView {
            id,
            title: self.text(id, FieldKey::Title).unwrap_or_default(),
            source: entity.source,
            standing: self.standing(id),
            activities: self.activities(id),
        });
        subgoals
            .filter(|subgoal| subgoal.standing != Standing::Retired || !subgoal.activities.is_empty())
            .collect()
    }

    fn activities(&self, subgoal: EntityId) -> Vec<ActivityView> {
        let activities = self.children(subgoal, EntityKind::Activity).into_iter();
        activities
            .map(|(id, entity)| self.activity(id, entity))
            .filter(|activity| activity.standing != Standing::Retired)
            .collect()
    }

    fn activity(&self, id: EntityId, entity: &Entity) -> ActivityView {
        let responsible = self.responsible(entity);
        let cost = match self.value(id, FieldKey::Cost) {
            Some(FieldValue::Money(cost)) => Some(cost),
            _ => None,
        };
        let conflict = |(_, register): &(&FieldKey, &crate::register::Register)| {
            register.conflict_at(self.day, self.state.epochs())
        };
        ActivityView {
            id,
            title: self.text(id, FieldKey::Title).unwrap_or_default(),
            responsible_text: self.responsible_text(entity, &responsible),
            responsible,
            lead: self.party(id, FieldKey::Lead),
            time: self.text(id, FieldKey::Time),
            cost_range: self.cost_range(entity),
            cost,
            comment: self.text(id, FieldKey::Comment),
            source: entity.source,
            standing: self.standing(id),
            conflicting: entity
                .fields
                .iter()
                .filter(|(field, _)| !matches!(field, FieldKey::Responsible(_)))
                .filter(conflict)
                .map(|(field, _)| *field)
                .collect(),
        }
    }

    /// The parties that any side of the day says are responsible, by name.
    fn responsible(&self, entity: &Entity) -> Vec<EntityId> {
        let mut found = Vec::new();
        for (field, register) in &entity.fields {
            let FieldKey::Responsible(party) = field else { continue };
            let sides = register.sides_at(self.day, self.state.epochs());
            if sides.iter().any(|side| side.content == Content::Responsible(true)) {
                found.push(*party);
            }
        }
        found.sort_by_cached_key(|party| (self.name(*party), *party));
        found
    }

    fn name(&self, party: EntityId) -> String {
        self.text(party, FieldKey::Name).unwrap_or_else(|| party.short())
    }

    /// The imported cell for as long as it still names the same parties, otherwise `A, B och C`.
    fn responsible_text(&self, entity: &Entity, responsible: &[EntityId]) -> String {
        let mut names: Vec<String> = responsible.iter().map(|party| self.name(*party)).collect();
        if let Some(text) = entity.responsible_text.and_then(|at| self.values.text(at))
            && names_exactly(&text, &names)
        {
            return text;
        }
        names.sort_by_key(|name| swedish_key(name));
        render_responsible(&names)
    }

    fn cost_range(&self, entity: &Entity) -> (i64, i64) {
        let Some(register) = entity.fields.get(&FieldKey::Cost) else { return (0, 0) };
        let epochs = self.state.epochs();
        let amount = |write: &Write| match field_value(FieldKey::Cost, &write.content, self.values) {
            Some(FieldValue::Money(Cost { amount: Some(amount), .. })) => amount.ore,
            _ => 0,
        };
        if !register.conflict_at(self.day, epochs) {
            let shown = register.shown_at(self.day, epochs).map_or(0, amount);
            return (shown, shown);
        }
        let amounts: Vec<i64> = register.sides_at(self.day, epochs).into_iter().map(amount).collect();
        (amounts.iter().copied().min().unwrap_or(0), amounts.iter().copied().max().unwrap_or(0))
    }

    fn parties(&self) -> Vec<PartyView> {
        let parties = self.state.entities().filter(|(_, entity)| entity.kind == EntityKind::Party);
        let mut found: Vec<PartyView> = parties
            .filter(|(id, _)| self.standing(*id) == Standing::InForce)
            .map(|(id, entity)| PartyView {
                id,
                name: self.name(id),
                kind: entity.party_kind,
                organisation: self.party(id, FieldKey::Organisation),
            })
            .collect();
        found.sort_by_cached_key(|party| (swedish_key(&party.name), party.id));
        found
    }
}

/// A key that sorts as Swedish does: case apart, å, ä and ö last.
pub fn swedish_key(text: &str) -> Vec<u32> {
    let lower = text.chars().flat_map(char::to_lowercase);
    lower
        .map(|letter| match letter {
            'å' => 0x7b,
            'ä' | 'æ' => 0x7c,
            'ö' | 'ø' => 0x7d,
            'é' | 'è' => u32::from('e'),
            other if u32::from(other) > 0x7a => u32::from(other) + 0x100,
            other => u32::from(other),
        })
        .collect()
}
