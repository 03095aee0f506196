//! What is added to a programme, and the tables that it came from.

use radslag_core::event::{Change, PartyKind, Source};
use radslag_core::id::EntityId;

use crate::convert::field::{party_kind_from_wire, party_kind_to_wire};
use crate::convert::id::{Id, ascending_ids, id, ids_bytes, optional_bytes, optional_id, order_key, real_id};
use crate::convert::{At, ConvertError, ensure};
use crate::event::v1 as wire;
use crate::limits::DIALECT_BYTES;

fn read_source(source: Option<&wire::Source>) -> Result<Option<Source>, ConvertError> {
    let Some(source) = source else { return Ok(None) };
    let import = id(&source.import_event_id).at("import_event_id")?;
    ensure(source.line >= 1, "is 0, lines start at 1").at("line")?;
    Ok(Some(Source { import, line: source.line }))
}

fn write_source(source: &Source) -> wire::Source {
    wire::Source { import_event_id: source.import.to_vec(), line: source.line }
}

/// Reads parties that ascend without repeats, none of them the zero that stands for "no party".
fn parties(field: &[Vec<u8>]) -> Result<Vec<EntityId>, ConvertError> {
    let parties: Vec<EntityId> = ascending_ids(field)?;
    // They ascend, so only the first can be zero.
    ensure(parties.first().is_none_or(|party| !party.is_zero()), "is all zeros").at_index(0)?;
    Ok(parties)
}

pub(super) fn read_area_added(m: &wire::AreaAdded) -> Result<Change, ConvertError> {
    Ok(Change::AreaAdded {
        area: real_id(&m.area_id).at("area_id")?,
        order_key: order_key(&m.order_key).at("order_key")?,
        source: read_source(m.source.as_ref()).at("source")?,
    })
}

pub(super) fn write_area_added(area: EntityId, order_key: &str, source: Option<&Source>) -> wire::AreaAdded {
    wire::AreaAdded {
        area_id: area.to_vec(),
        order_key: order_key.to_owned(),
        source: source.map(write_source),
    }
}

pub(super) fn read_subgoal_added(m: &wire::SubgoalAdded) -> Result<Change, ConvertError> {
    Ok(Change::SubgoalAdded {
        subgoal: real_id(&m.subgoal_id).at("subgoal_id")?,
        area: real_id(&m.area_id).at("area_id")?,
        order_key: order_key(&m.order_key).at("order_key")?,
        source: read_source(m.source.as_ref()).at("source")?,
    })
}

pub(super) fn write_subgoal_added(
    subgoal: EntityId,
    area: EntityId,
    order_key: &str,
    source: Option<&Source>,
) -> wire::SubgoalAdded {
    wire::SubgoalAdded {
        subgoal_id: subgoal.to_vec(),
        area_id: area.to_vec(),
        order_key: order_key.to_owned(),
        source: source.map(write_source),
    }
}

pub(super) fn read_activity_added(m: &wire::ActivityAdded) -> Result<Change, ConvertError> {
    Ok(Change::ActivityAdded {
        activity: real_id(&m.activity_id).at("activity_id")?,
        subgoal: real_id(&m.subgoal_id).at("subgoal_id")?,
        order_key: order_key(&m.order_key).at("order_key")?,
        responsible: parties(&m.responsible).at("responsible")?,
        lead: optional_id(&m.lead).at("lead")?,
        source: read_source(m.source.as_ref()).at("source")?,
    })
}

pub(super) fn write_activity_added(
    activity: EntityId,
    subgoal: EntityId,
    order_key: &str,
    responsible: &[EntityId],
    lead: Option<EntityId>,
    source: Option<&Source>,
) -> wire::ActivityAdded {
    wire::ActivityAdded {
        activity_id: activity.to_vec(),
        subgoal_id: subgoal.to_vec(),
        order_key: order_key.to_owned(),
        responsible: ids_bytes(responsible),
        lead: optional_bytes(lead),
        source: source.map(write_source),
    }
}

pub(super) fn read_party_added(m: &wire::PartyAdded) -> Result<Change, ConvertError> {
    Ok(Change::PartyAdded {
        party: real_id(&m.party_id).at("party_id")?,
        kind: party_kind_from_wire(m.kind).at("kind")?,
        organisation: optional_id(&m.organisation_id).at("organisation_id")?,
        source: read_source(m.source.as_ref()).at("source")?,
    })
}

pub(super) fn write_party_added(
    party: EntityId,
    kind: PartyKind,
    organisation: Option<EntityId>,
    source: Option<&Source>,
) -> wire::PartyAdded {
    wire::PartyAdded {
        party_id: party.to_vec(),
        kind: party_kind_to_wire(kind).into(),
        organisation_id: optional_bytes(organisation),
        source: source.map(write_source),
    }
}

pub(super) fn read_source_imported(m: &wire::SourceImported) -> Result<Change, ConvertError> {
    let shaped =
        (1..=DIALECT_BYTES).contains(&m.dialect.len()) && m.dialect.bytes().all(|b| b.is_ascii_graphic());
    ensure(shaped, "is not 1 to 40 printable ASCII characters without spaces").at("dialect")?;
    Ok(Change::SourceImported { dialect: m.dialect.clone() })
}

pub(super) fn write_source_imported(dialect: &str) -> wire::SourceImported {
    wire::SourceImported { dialect: dialect.to_owned() }
}
