//! The folded state: what a prefix of the log amounts to. It is changed by [`State::apply`](crate::fold) alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::digest::{Digest, Hasher};
use crate::event::{PartyKind, Source};
use crate::field::FieldKey;
use crate::id::{DeviceId, DeviceSeq, EntityId, EpochId, EventId, MemberId, OrgId, Position, ProgramId};
use crate::register::{Content, Epoch, Register, Write};
use crate::time::{CivilDate, Instant};
use crate::value::{Slot, ValueRef};

/// What sort of entity something is, by its number in the state hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntityKind {
    /// The programme itself.
    Program,
    /// An area.
    Area,
    /// A sub-goal.
    Subgoal,
    /// An activity.
    Activity,
    /// A party.
    Party,
}

impl EntityKind {
    /// The number that is hashed.
    pub const fn number(self) -> u8 {
        match self {
            Self::Program => 1,
            Self::Area => 2,
            Self::Subgoal => 3,
            Self::Activity => 4,
            Self::Party => 5,
        }
    }

    /// The word in messages and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Program => "programme",
            Self::Area => "area",
            Self::Subgoal => "sub-goal",
            Self::Activity => "activity",
            Self::Party => "party",
        }
    }

    /// What an entity of this kind stands in; none for one that has no place.
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Area => Some(Self::Program),
            Self::Subgoal => Some(Self::Area),
            Self::Activity => Some(Self::Subgoal),
            Self::Program | Self::Party => None,
        }
    }

    /// Whether an entity of this kind has the field.
    pub const fn has(self, field: FieldKey) -> bool {
        match field {
            FieldKey::Title => !matches!(self, Self::Party),
            FieldKey::Goal => matches!(self, Self::Area),
            FieldKey::Comment
            | FieldKey::Time
            | FieldKey::Cost
            | FieldKey::Lead
            | FieldKey::Responsible(_) => {
                matches!(self, Self::Activity)
            }
            FieldKey::Name | FieldKey::Organisation => matches!(self, Self::Party),
            FieldKey::Place => self.parent().is_some(),
            FieldKey::Life => !matches!(self, Self::Program),
        }
    }
}

/// Anything that has fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// What sort.
    pub kind: EntityKind,
    /// The event that added it.
    pub added_by: EventId,
    /// A party's sort.
    pub party_kind: Option<PartyKind>,
    /// Where in an imported file it came from.
    pub source: Option<Source>,
    /// The responsible cell as imported.
    pub responsible_text: Option<ValueRef>,
    /// Its fields; one that was never written is absent.
    pub fields: BTreeMap<FieldKey, Register>,
}

/// An organisation that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// The party it is in the programme.
    pub party: Option<EntityId>,
}

/// A person who may act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// For which organisation.
    pub org: OrgId,
    /// The name.
    pub name: ValueRef,
}

/// A device that may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its Ed25519 public key.
    pub key: [u8; 32],
    /// Who uses it.
    pub member: MemberId,
    /// For which organisation.
    pub org: OrgId,
}

/// Where a device's numbers are unbroken chains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnChain {
    /// The device's last number.
    pub last: DeviceSeq,
    /// The numbers that began a chain, ascending: 1, and those that were skipped to across a restore.
    pub starts: Vec<DeviceSeq>,
    /// Skipped numbers that were taken later: each stands alone.
    pub filled: BTreeSet<DeviceSeq>,
}

/// A file that was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import {
    /// The event.
    pub event: EventId,
    /// SHA-256 of the file.
    pub digest: ValueRef,
    /// The layout of the file.
    pub layout: ValueRef,
}

/// A point on both clocks that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// The event that named it; the name travels beside it.
    pub event: EventId,
    /// Where that stands in the log.
    pub set_at: Position,
    /// When the log took it.
    pub recorded_at: Instant,
    /// The device that wrote it.
    pub device: DeviceId,
    /// The epoch of `position`.
    pub epoch: EpochId,
    /// The last record that is read there.
    pub position: Position,
    /// The day that it is read for.
    pub effective_on: CivilDate,
}

impl Baseline {
    /// Its name.
    pub const fn name(&self) -> ValueRef {
        ValueRef { event: self.event, slot: Slot::BASELINE_NAME }
    }
}

/// How much of the past a state holds on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Only writes that are a side on the last record's day or later: bounded memory, answers from today on.
    Sides,
    /// Every write: answers on any effective date.
    Everything,
}

/// A programme as a prefix of its log has made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub(crate) program_id: ProgramId,
    pub(crate) keep: Keep,
    pub(crate) head: Position,
    pub(crate) recorded_at: Instant,
    pub(crate) today: Option<CivilDate>,
    pub(crate) rules: u32,
    pub(crate) log_key: [u8; 32],
    pub(crate) entities: BTreeMap<EntityId, Arc<Entity>>,
    pub(crate) organisations: BTreeMap<OrgId, Organisation>,
    pub(crate) members: BTreeMap<MemberId, Member>,
    pub(crate) devices: BTreeMap<DeviceId, Device>,
    pub(crate) imports: Vec<Import>,
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) chains: BTreeMap<DeviceId, OwnChain>,
    /// Whether the chains were told, because not every record is applied.
    pub(crate) told: bool,
    pub(crate) baselines: Vec<Baseline>,
}

impl State {
    /// The state before the first record.
    pub fn new(program_id: ProgramId, keep: Keep) -> Self {
        Self {
            program_id,
            keep,
            head: Position::ZERO,
            recorded_at: Instant::from_micros(i64::MIN),
            today: None,
            rules: 0,
            log_key: [0; 32],
            entities: BTreeMap::new(),
            organisations: BTreeMap::new(),
            members: BTreeMap::new(),
            devices: BTreeMap::new(),
            imports: Vec::new(),
            epochs: Vec::new(),
            chains: BTreeMap::new(),
            told: false,
            baselines: Vec::new(),
        }
    }

    /// The chain of every device that has a record.
    pub const fn chains(&self) -> &BTreeMap<DeviceId, OwnChain> {
        &self.chains
    }

    /// The programme.
    pub const fn program_id(&self) -> ProgramId {
        self.program_id
    }

    /// The last record that was applied.
    pub const fn head(&self) -> Position {
        self.head
    }

    /// When the last record was taken; the least instant there is before the first.
    pub const fn recorded_at(&self) -> Instant {
        self.recorded_at
    }

    /// The day of the last record in Europe/Stockholm; none before the first.
    pub const fn today(&self) -> Option<CivilDate> {
        self.today
    }

    /// The rules version in force; 0 before the first record.
    pub const fn rules(&self) -> u32 {
        self.rules
    }

    /// The log's public key; zeros before the first record.
    pub const fn log_key(&self) -> &[u8; 32] {
        &self.log_key
    }

    /// The epoch of the head.
    pub fn epoch(&self) -> EpochId {
        self.epochs.last().map_or(EpochId::default(), |epoch| epoch.id)
    }

    /// All epochs after the first, in order.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// The named points, in the order of the log. Two may have one name.
    pub fn baselines(&self) -> &[Baseline] {
        &self.baselines
    }

    /// Every entity, retired ones too, by id.
    pub fn entities(&self) -> impl Iterator<Item = (EntityId, &Entity)> {
        self.entities.iter().map(|(id, entity)| (*id, entity.as_ref()))
    }

    /// One entity.
    pub fn entity(&self, id: EntityId) -> Option<&Entity> {
        self.entities.get(&id).map(AsRef::as_ref)
    }

    /// One field's register; none when it was never written.
    pub fn register(&self, entity: EntityId, field: FieldKey) -> Option<&Register> {
        self.entity(entity)?.fields.get(&field)
    }

    /// What one field shows on `day`.
    pub fn shown(&self, entity: EntityId, field: FieldKey, day: CivilDate) -> Option<&Write> {
        self.register(entity, field)?.shown_at(day, &self.epochs)
    }

    /// Whether something is part of the programme on `day`: added and not retired.
    pub fn lives(&self, entity: EntityId, day: CivilDate) -> bool {
        match self.entity(entity).map(|entity| entity.kind) {
            None => false,
            Some(EntityKind::Program) => true,
            Some(_) => self
                .shown(entity, FieldKey::Life, day)
                .is_some_and(|write| matches!(write.content, Content::Life { retired: false, .. })),
        }
    }

    /// The organisations that take part.
    pub fn organisations(&self) -> &BTreeMap<OrgId, Organisation> {
        &self.organisations
    }

    /// The people who may act.
    pub fn members(&self) -> &BTreeMap<MemberId, Member> {
        &self.members
    }

    /// The devices that may sign.
    pub fn devices(&self) -> &BTreeMap<DeviceId, Device> {
        &self.devices
    }

    /// The files that were imported, in order.
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    /// Every field in conflict today or later, with its sides, by entity and field. Responsibility is left out: there a
    /// disagreement is a notice.
    pub fn conflicts(&self) -> Vec<(EntityId, FieldKey, Vec<&Write>)> {
        self.today.map_or_else(Vec::new, |today| self.conflicts_at(today))
    }

    /// Every field in conflict for whoever reads `day`, as [`State::conflicts`] has them: from the day of the last record on, on
    /// that day or a later one that a write carries; before it, on that very day, because what came after is no part of it.
    pub fn conflicts_at(&self, day: CivilDate) -> Vec<(EntityId, FieldKey, Vec<&Write>)> {
        let past = self.today.is_none_or(|today| day < today);
        let epochs = self.epochs.as_slice();
        let mut found = Vec::new();
        for (id, entity) in self.entities() {
            for (field, register) in
                entity.fields.iter().filter(|(f, _)| !matches!(f, FieldKey::Responsible(_)))
            {
                if past && register.conflict_at(day, epochs) {
                    found.push((id, *field, register.sides_at(day, epochs)));
                } else if !past && register.in_conflict(day, epochs) {
                    found.push((id, *field, register.sides(day, epochs)));
                }
            }
        }
        found
    }

    /// The same state, which from its next record on keeps every write: it answers for every day from that of its last record on,
    /// however far the log goes on.
    #[must_use]
    pub fn keeping_everything(mut self) -> Self {
        self.keep = Keep::Everything;
        self
    }

    /// The state hash of `docs/format.md`: equal wherever the same records were folded.
    pub fn hash(&self) -> Digest {
        let mut hasher = Hasher::new("radslag/state/v1\n");
        hasher.put(self.program_id.bytes()).put_count(self.entities.len());
        for (id, entity) in &self.entities {
            hasher.put(id.bytes()).put(&[entity.kind.number()]).put_count(entity.fields.len());
            for (field, register) in &entity.fields {
                hasher.put_u16(field.number()).put(field.qualifier().bytes());
                self.hash_writes(register, &mut hasher);
            }
        }
        hasher.put_count(self.epochs.len());
        for epoch in &self.epochs {
            hasher.put(epoch.id.bytes()).put_u64(epoch.cut.get());
        }
        self.hash_baselines(&mut hasher);
        hasher.finish()
    }

    /// A log without baselines hashes as it did before there were any.
    fn hash_baselines(&self, hasher: &mut Hasher) {
        if self.baselines.is_empty() {
            return;
        }
        hasher.put_count(self.baselines.len());
        for baseline in &self.baselines {
            hasher.put(baseline.event.bytes()).put_u64(baseline.set_at.get());
            hasher.put(baseline.epoch.bytes()).put_u64(baseline.position.get());
            hasher.put(&baseline.effective_on.days().to_be_bytes());
        }
    }

    fn hash_writes(&self, register: &Register, hasher: &mut Hasher) {
        let sides = self.today.map_or_else(Vec::new, |today| register.sides(today, &self.epochs));
        hasher.put_count(sides.len());
        for write in sides {
            hasher.put(write.event.bytes()).put_u64(write.position.get()).put(write.class.bytes());
            hasher.put(&write.date.days().to_be_bytes()).put(write.base.epoch.bytes());
            hasher.put_u64(write.base.position.get()).put_u64(write.base.seq.get());
            hasher.put(write.device.bytes()).put_u64(write.device_seq.get());
        }
    }
}
