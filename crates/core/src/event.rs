//! What an author says: the body that is signed once and never changes, and the kinds of change it can carry.
//!
//! This is the decoded form. The bytes are protobuf and belong to the `radslag-proto` crate; they are kept as
//! received and never made again from this form.

use crate::digest::Digest;
use crate::field::FieldKey;
use crate::id::{
    DeviceId, DeviceSeq, EntityId, EpochId, EventId, GroupId, MemberId, OrgId, Position, ProgramId,
};
use crate::time::{CivilDate, Instant};
use crate::value::Slot;

/// What the author was looking at when the form, editor or export was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Base {
    /// The epoch of `position`.
    pub epoch: EpochId,
    /// The last confirmed record in view; zero for none.
    pub position: Position,
    /// The last event of the author's own device in view; less than the event's own number.
    pub seq: DeviceSeq,
}

/// A member's place in an all-or-nothing group. The members stand side by side in one bundle, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Shared by all members.
    pub id: GroupId,
    /// From 0.
    pub index: u32,
    /// How many members there are, 2 to 500.
    pub size: u32,
}

/// Strict mode: the change lands only if the field's sides are exactly these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The entity that holds the field.
    pub entity: EntityId,
    /// The field.
    pub field: FieldKey,
    /// The sides the author saw, ascending; empty means never written.
    pub sides: Vec<EventId>,
}

/// The digest of a value that travels beside the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueDigest {
    /// Which value; each slot at most once in an event.
    pub slot: Slot,
    /// As `docs/format.md` computes it from salt and bytes.
    pub digest: Digest,
}

/// A decoded event body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventBody {
    /// Made by the author's device, unique for ever.
    pub event_id: EventId,
    /// The programme it belongs to.
    pub program_id: ProgramId,
    /// The member who acted.
    pub actor_id: MemberId,
    /// The organisation the member acted for.
    pub org_id: OrgId,
    /// The device that wrote and signed it.
    pub device_id: DeviceId,
    /// Its number on that device, from 1.
    pub device_seq: DeviceSeq,
    /// SHA-256 of the device's body before it; zero at number 1.
    pub prev: Digest,
    /// What the author was looking at.
    pub base: Base,
    /// When the device says it was written.
    pub authored_at: Instant,
    /// From which day it applies, when the author states one.
    pub effective_on: Option<CivilDate>,
    /// Its place in a group, if it is in one.
    pub group: Option<Group>,
    /// What must still hold for it to land.
    pub expect: Vec<Expectation>,
    /// The kind's name, readable also where the kind is unknown.
    pub kind: String,
    /// The version of the kind's shape, from 1.
    pub schema_version: u32,
    /// Whether a reader that does not know the kind must freeze what it touches.
    pub must_understand: bool,
    /// One digest for each value that a person typed.
    pub digests: Vec<ValueDigest>,
    /// What changed.
    pub change: Change,
}

impl EventBody {
    /// The digest in `slot`, if the event carries a value there.
    pub fn digest(&self, slot: Slot) -> Option<&Digest> {
        self.digests.iter().find(|d| d.slot == slot).map(|d| &d.digest)
    }
}

/// Where in an imported file an entity came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The `SourceImported` event.
    pub import: EventId,
    /// The physical line, from 1.
    pub line: u32,
}

/// What sort of party somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartyKind {
    /// One of the municipalities.
    Municipality,
    /// Several of them under one name (`Södertörn`).
    Collective,
    /// Any other organisation.
    Organisation,
    /// A network.
    Network,
    /// A group of people with the same role (`Kdir/KSO`).
    RoleGroup,
    /// A project.
    Project,
    /// A person.
    Person,
}

/// On whose word a device was enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Nobody's: a server that listens on loopback only.
    Open,
    /// A single-use invitation.
    Invite,
    /// A steward's.
    Steward,
}

/// What a field is set to, as far as the body says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewValue {
    /// A value under the field's own slot.
    Sealed,
    /// Nothing: the field is emptied.
    Cleared,
    /// A party (lead party, a person's organisation).
    Party(EntityId),
}

/// What a resolution lets stand. With a taken side it repeats what that side says, because by the time the record
/// is folded the side may no longer be kept; a text is never repeated, only the event that carries it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A value under the field's own slot; only when no side is taken.
    Sealed,
    /// The value that travels beside this event; only when a side is taken.
    SealedIn(EventId),
    /// Nothing.
    Cleared,
    /// A party (lead party, a person's organisation).
    Party(EntityId),
    /// A place.
    Place {
        /// Where it stands.
        parent: EntityId,
        /// Its place there.
        order_key: String,
    },
    /// Part of the programme or retired.
    Life {
        /// Whether it is retired.
        retired: bool,
        /// What it was merged into, if it was.
        merged_into: Option<EntityId>,
    },
    /// Whether the party is responsible.
    Responsible(bool),
}

/// What changed. Facts, in the past tense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Position 1 of every log. Title under [`Slot::TITLE`].
    ProgramCreated {
        /// The log's Ed25519 public key.
        log_key: [u8; 32],
        /// The creating device's Ed25519 public key; the event is signed by it.
        device_key: [u8; 32],
        /// The rules version that the log starts with.
        rules: u32,
    },
    /// An organisation takes part.
    OrganisationAdmitted {
        /// Its short name.
        org_id: OrgId,
        /// The party it is in the programme, if it is one.
        party: Option<EntityId>,
    },
    /// A person may act for an organisation. Name under [`Slot::MEMBER_NAME`].
    MemberAdmitted {
        /// The person.
        member_id: MemberId,
        /// The organisation.
        org_id: OrgId,
    },
    /// A device may sign. Signed by the device itself, whose first event it is.
    DeviceEnrolled {
        /// The device; equal to the body's own.
        device_id: DeviceId,
        /// Its Ed25519 public key.
        public_key: [u8; 32],
        /// Who uses it.
        member_id: MemberId,
        /// For which organisation.
        org_id: OrgId,
        /// On whose word.
        authority: Authority,
    },
    /// An area was added. Title under [`Slot::TITLE`], main goal, if any, under [`Slot::GOAL`].
    AreaAdded {
        /// The new area.
        area: EntityId,
        /// Its place among the areas.
        order_key: String,
        /// Where it was imported from.
        source: Option<Source>,
    },
    /// A sub-goal was added. Title under [`Slot::TITLE`].
    SubgoalAdded {
        /// The new sub-goal.
        subgoal: EntityId,
        /// The area it stands in.
        area: EntityId,
        /// Its place there.
        order_key: String,
        /// Where it was imported from.
        source: Option<Source>,
    },
    /// An activity was added with its first values: title, and where given time, cost, comment and the
    /// responsible text as imported.
    ActivityAdded {
        /// The new activity.
        activity: EntityId,
        /// The sub-goal it stands in.
        subgoal: EntityId,
        /// Its place there.
        order_key: String,
        /// Who is responsible, ascending by id.
        responsible: Vec<EntityId>,
        /// Who leads.
        lead: Option<EntityId>,
        /// Where it was imported from.
        source: Option<Source>,
    },
    /// A party was added. Name under [`Slot::NAME`].
    PartyAdded {
        /// The new party.
        party: EntityId,
        /// What sort.
        kind: PartyKind,
        /// The organisation that a person belongs to.
        organisation: Option<EntityId>,
        /// Where it was imported from.
        source: Option<Source>,
    },
    /// A field was given a value or emptied.
    FieldRevised {
        /// The entity.
        entity: EntityId,
        /// The field; one that takes values.
        field: FieldKey,
        /// Its new value.
        value: NewValue,
    },
    /// A party became responsible for an activity.
    ResponsibleAssigned {
        /// The activity.
        activity: EntityId,
        /// The party.
        party: EntityId,
    },
    /// A party is no longer responsible for an activity.
    ResponsibleUnassigned {
        /// The activity.
        activity: EntityId,
        /// The party.
        party: EntityId,
    },
    /// An area, sub-goal or activity was moved. An area's parent is the programme.
    Placed {
        /// What was moved.
        entity: EntityId,
        /// Where it now stands.
        parent: EntityId,
        /// Its place there.
        order_key: String,
    },
    /// Something is no longer part of the programme. Nothing is deleted.
    Retired {
        /// What was retired.
        entity: EntityId,
        /// What it was merged into, if it was.
        merged_into: Option<EntityId>,
    },
    /// Something retired is part of the programme again.
    Restored {
        /// What was restored.
        entity: EntityId,
    },
    /// Somebody decided between the sides of a field.
    ConflictResolved {
        /// The entity.
        entity: EntityId,
        /// The field.
        field: FieldKey,
        /// The sides that were decided between, ascending.
        settles: Vec<EventId>,
        /// The one of them that stands; none when something new does.
        take: Option<EventId>,
        /// What stands.
        stands: Standing,
    },
    /// A table was imported; the additions that follow in its group name it as their source. The file's digest
    /// under [`Slot::FILE_DIGEST`], its layout under [`Slot::FILE_LAYOUT`].
    SourceImported {
        /// How the file was read: `tsv/1`.
        dialect: String,
    },
    /// The log was restored and lacks what came after `cut_position`. Written by the log itself, never pushed.
    EpochOpened {
        /// The epoch that starts here.
        epoch_id: EpochId,
        /// The last record that the restored log has.
        cut_position: Position,
        /// The Merkle root of the records up to it.
        cut_root: Digest,
    },
    /// A point on both clocks got a name, by which it can be asked for. Name under [`Slot::BASELINE_NAME`].
    BaselineSet {
        /// The epoch of `position`.
        epoch: EpochId,
        /// The last record that is read there.
        position: Position,
        /// The day that it is read for.
        effective_on: CivilDate,
    },
    /// From the next record on, this version of the rules holds.
    RulesAdopted {
        /// The version.
        version: u32,
    },
    /// A kind that this version does not know. The envelope is kept and verified, the change is skipped.
    Unknown,
}

impl Change {
    /// The kind's name as the body spells it; none for an unknown kind.
    pub const fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::ProgramCreated { .. } => "program_created",
            Self::OrganisationAdmitted { .. } => "organisation_admitted",
            Self::MemberAdmitted { .. } => "member_admitted",
            Self::DeviceEnrolled { .. } => "device_enrolled",
            Self::AreaAdded { .. } => "area_added",
            Self::SubgoalAdded { .. } => "subgoal_added",
            Self::ActivityAdded { .. } => "activity_added",
            Self::PartyAdded { .. } => "party_added",
            Self::FieldRevised { .. } => "field_revised",
            Self::ResponsibleAssigned { .. } => "responsible_assigned",
            Self::ResponsibleUnassigned { .. } => "responsible_unassigned",
            Self::Placed { .. } => "placed",
            Self::Retired { .. } => "retired",
            Self::Restored { .. } => "restored",
            Self::ConflictResolved { .. } => "conflict_resolved",
            Self::SourceImported { .. } => "source_imported",
            Self::EpochOpened { .. } => "epoch_opened",
            Self::RulesAdopted { .. } => "rules_adopted",
            Self::BaselineSet { .. } => "baseline_set",
            Self::Unknown => return None,
        })
    }
}
