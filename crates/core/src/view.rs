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

mod tree;

use tree::{Child, Tree};

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
    state.today().map_or_else(Vec::new, |today| conflicts_at(state, today))
}

/// Every conflict that whoever reads the programme for `day` meets, by entity and field: see [`State::conflicts_at`].
pub fn conflicts_at(state: &State, day: CivilDate) -> Vec<Conflict<'_>> {
    let open = state.conflicts_at(day).into_iter();
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
    /// It comes into force on this later day. Until then it is read as it will stand then.
    NotYet(CivilDate),
    /// It was retired; shown only because something that lives still stands in it.
    Retired,
}

impl Standing {
    /// The day that something of this standing is read for by whoever reads `day`.
    pub const fn read_on(self, day: CivilDate) -> CivilDate {
        if let Self::NotYet(from) = self { from } else { day }
    }
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
    /// Whether it is in force; retired parties are left out.
    pub standing: Standing,
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
    /// How many activities there are: those in force.
    pub activities: usize,
}

impl CostSum {
    /// What those of some activities that are in force cost.
    pub fn of<'a>(activities: impl Iterator<Item = &'a ActivityView>) -> Self {
        let mut cost = Self::default();
        for activity in activities.filter(|activity| activity.standing == Standing::InForce) {
            cost.activities += 1;
            cost.low = cost.low.saturating_add(activity.cost_range.0);
            cost.high = cost.high.saturating_add(activity.cost_range.1);
            cost.missing += usize::from(activity.cost.as_ref().is_none_or(|cost| cost.amount.is_none()));
        }
        cost
    }
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

impl AreaView {
    /// Every activity in order.
    pub fn activities(&self) -> impl Iterator<Item = &ActivityView> {
        self.subgoals.iter().flat_map(|subgoal| subgoal.activities.iter())
    }
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
    let areas = reader.areas(&Tree::of(state, day), program);
    let mut view = ProgramView {
        title: title(state, values, program, day),
        parties: reader.parties(),
        cost: CostSum::default(),
        areas,
    };
    view.cost = CostSum::of(view.activities().map(|(.., activity)| activity));
    view
}

/// The title or name that an entity shows on `day`, or the first one that it will have; its id's last digits when it has none.
pub fn title(state: &State, values: &dyn Values, entity: EntityId, day: CivilDate) -> String {
    let reader = Reader { state, values, day };
    let field = match state.entity(entity).map(|entity| entity.kind) {
        Some(EntityKind::Party) => FieldKey::Name,
        _ => FieldKey::Title,
    };
    let shown = reader.text(entity, field);
    shown.or_else(|| reader.first_text(entity, field)).unwrap_or_else(|| entity.short())
}

/// Whether an entity is part of the programme on `day`.
pub fn standing(state: &State, entity: EntityId, day: CivilDate) -> Standing {
    let epochs = state.epochs();
    let Some(life) = state.register(entity, FieldKey::Life) else { return Standing::InForce };
    let lives = |day| {
        let shown = life.shown_at(day, epochs).map(|write| &write.content);
        shown.map(|content| !matches!(content, Content::Life { retired: true, .. }))
    };
    match lives(day) {
        Some(true) => Standing::InForce,
        Some(false) => Standing::Retired,
        None => {
            let mut later: Vec<CivilDate> = life.writes().iter().map(|write| write.date).collect();
            later.sort_unstable();
            // What was taken back before its day never comes into force.
            let comes = later.into_iter().find(|day| lives(*day) == Some(true));
            comes.map_or(Standing::Retired, Standing::NotYet)
        }
    }
}

struct Reader<'a> {
    state: &'a State,
    values: &'a dyn Values,
    day: CivilDate,
}

impl<'a> Reader<'a> {
    /// The same reader on the day that an entity is to be read for: one that is not in force yet shows what it will say then.
    fn on(&self, standing: Standing) -> Reader<'a> {
        Reader { day: standing.read_on(self.day), ..*self }
    }

    /// What a field says first of all, where nothing has been written in it for that day yet. One that was emptied says nothing: what
    /// it said before that is not in every state.
    fn first_text(&self, entity: EntityId, field: FieldKey) -> Option<String> {
        let register = self.state.register(entity, field)?;
        if register.shown_at(self.day, self.state.epochs()).is_some() {
            return None;
        }
        let writes = register.writes();
        let first = writes.iter().map(|write| write.date).min()?;
        Reader { day: first, ..*self }.text(entity, field)
    }

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
        standing(self.state, entity, self.day)
    }

    fn areas(&self, tree: &Tree<'_>, program: EntityId) -> Vec<AreaView> {
        let areas = tree.children(program, EntityKind::Area).iter().map(|child| {
            let reader = self.on(child.standing);
            AreaView {
                id: child.id,
                title: reader.text(child.id, FieldKey::Title).unwrap_or_default(),
                goal: reader.text(child.id, FieldKey::Goal),
                source: child.entity.source,
                standing: child.standing,
                subgoals: self.subgoals(tree, child.id),
            }
        });
        areas.filter(|area| area.standing != Standing::Retired || !area.subgoals.is_empty()).collect()
    }

    fn subgoals(&self, tree: &Tree<'_>, area: EntityId) -> Vec<SubgoalView> {
        let subgoals = tree.children(area, EntityKind::Subgoal).iter().map(|child| SubgoalView {
            id: child.id,
            title: self.on(child.standing).text(child.id, FieldKey::Title).unwrap_or_default(),
            source: child.entity.source,
            standing: child.standing,
            activities: self.activities(tree, child.id),
        });
        subgoals
            .filter(|subgoal| subgoal.standing != Standing::Retired || !subgoal.activities.is_empty())
            .collect()
    }

    fn activities(&self, tree: &Tree<'_>, subgoal: EntityId) -> Vec<ActivityView> {
        let activities = tree.children(subgoal, EntityKind::Activity).iter();
        activities
            .filter(|child| child.standing != Standing::Retired)
            .map(|child| self.on(child.standing).activity(child))
            .collect()
    }

    fn activity(&self, child: &Child<'_>) -> ActivityView {
        let (id, entity) = (child.id, child.entity);
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
            standing: child.standing,
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
        title(self.state, self.values, party, self.day)
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
            .map(|(id, entity)| (id, entity, self.standing(id)))
            .filter(|(.., standing)| *standing != Standing::Retired)
            .map(|(id, entity, standing)| PartyView {
                id,
                name: self.name(id),
                kind: entity.party_kind,
                organisation: self.on(standing).party(id, FieldKey::Organisation),
                standing,
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
