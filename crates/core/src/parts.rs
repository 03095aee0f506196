//! A state taken apart and put together again, for a snapshot of it: a cache that whoever has the log can make anew.
//!
//! What comes from a snapshot was said by somebody, so putting together checks all that the fold itself guarantees. Whether the
//! parts are those that the log gives is settled by folding the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::{DeviceId, EntityId, MemberId, OrgId, Position, ProgramId};
use crate::register::{Epoch, Register};
use crate::state::{
    Baseline, Device, Entity, EntityKind, Import, Keep, Member, Organisation, OwnChain, State,
};
use crate::time::{CivilDate, Instant};

/// Everything that a state of [`Keep::Sides`] is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateParts {
    /// The programme.
    pub program_id: ProgramId,
    /// The last record that was applied, from 1.
    pub head: Position,
    /// When it was taken.
    pub recorded_at: Instant,
    /// Its day in Europe/Stockholm.
    pub today: CivilDate,
    /// The rules version in force.
    pub rules: u32,
    /// The log's public key.
    pub log_key: [u8; 32],
    /// Every entity, retired ones too.
    pub entities: BTreeMap<EntityId, Entity>,
    /// The organisations that take part.
    pub organisations: BTreeMap<OrgId, Organisation>,
    /// The people who may act.
    pub members: BTreeMap<MemberId, Member>,
    /// The devices that may sign.
    pub devices: BTreeMap<DeviceId, Device>,
    /// The files that were imported, in order.
    pub imports: Vec<Import>,
    /// All epochs after the first, in order.
    pub epochs: Vec<Epoch>,
    /// The chain of every device that has a record.
    pub chains: BTreeMap<DeviceId, OwnChain>,
    /// The named points, in the order of the log.
    pub baselines: Vec<Baseline>,
}

/// Parts that no fold has made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// There is no record yet, or the programme is not among its entities.
    #[error("the programme itself is missing")]
    NoProgramme,
    /// An entity has a field that its kind does not have.
    #[error("entity {entity} has a field that a {kind} does not have")]
    FieldUnfit {
        /// The entity.
        entity: EntityId,
        /// Its kind, in a word.
        kind: &'static str,
    },
    /// The writes of a field are none, do not ascend, or lie past the head.
    #[error("the writes of a field of entity {entity} are not in the order of the log")]
    WritesOutOfOrder {
        /// The entity.
        entity: EntityId,
    },
    /// The baselines do not ascend, or lie past the head.
    #[error("the baselines are not in the order of the log")]
    BaselinesOutOfOrder,
}

impl State {
    /// Puts a state together; it goes on as the one that was taken apart would.
    ///
    /// # Errors
    /// The parts are not what a fold leaves.
    pub fn from_parts(parts: StateParts) -> Result<Self, PartsError> {
        let program: EntityId = parts.program_id.into();
        let itself = parts.entities.get(&program).filter(|entity| entity.kind == EntityKind::Program);
        if parts.head == Position::ZERO || itself.is_none() {
            return Err(PartsError::NoProgramme);
        }
        let baselines = &parts.baselines;
        let ascends = baselines.windows(2).all(|pair| pair[0].set_at < pair[1].set_at);
        if !ascends || baselines.iter().any(|baseline| baseline.set_at > parts.head) {
            return Err(PartsError::BaselinesOutOfOrder);
        }
        for (id, entity) in &parts.entities {
            check_entity(*id, entity, parts.head)?;
        }
        Ok(Self {
            program_id: parts.program_id,
            keep: Keep::Sides,
            head: parts.head,
            recorded_at: parts.recorded_at,
            today: Some(parts.today),
            rules: parts.rules,
            log_key: parts.log_key,
            entities: parts.entities.into_iter().map(|(id, entity)| (id, Arc::new(entity))).collect(),
            organisations: parts.organisations,
            members: parts.members,
            devices: parts.devices,
            imports: parts.imports,
            epochs: parts.epochs,
            chains: parts.chains,
            told: false,
            baselines: parts.baselines,
        })
    }
}

fn check_entity(id: EntityId, entity: &Entity, head: Position) -> Result<(), PartsError> {
    for (field, register) in &entity.fields {
        if !entity.kind.has(*field) {
            return Err(PartsError::FieldUnfit { entity: id, kind: entity.kind.name() });
        }
        if !in_order(register, head) {
            return Err(PartsError::WritesOutOfOrder { entity: id });
        }
    }
    Ok(())
}

fn in_order(register: &Register, head: Position) -> bool {
    let writes = register.writes();
    let ascends = writes.windows(2).all(|pair| pair[0].position < pair[1].position);
    let first = writes.first().is_some_and(|write| write.position > Position::ZERO);
    ascends && first && writes.last().is_some_and(|write| write.position <= head)
}
