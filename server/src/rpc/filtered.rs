//! What a filter lets through of a frame, and what stood where when each record came.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use radslag_core::filter::{Filter, Places};
use radslag_core::id::{Position, ProgramId};
use radslag_core::record::Recorded;
use radslag_core::state::EntityKind;
use radslag_engine::engine::Programme;
use radslag_engine::ledger::{LedgerError, read_record};
use radslag_engine::read::walk;
use radslag_log::EventLog;
use radslag_proto::api::v1 as api;
use radslag_proto::convert::ConvertError;
use radslag_proto::log::v1;
use radslag_proto::status::{ApiError, Reason};

use super::failure::Answer;

/// What stood where in the programmes that are followed by area.
#[derive(Default)]
pub(crate) struct AllPlaces(
    // Each is read from the log by whoever needs it first; those who come meanwhile wait, off the async threads.
    Mutex<BTreeMap<ProgramId, Arc<Mutex<Option<Places>>>>>,
);

impl AllPlaces {
    fn of(&self, program: ProgramId) -> Arc<Mutex<Option<Places>>> {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(program).or_default())
    }
}

/// A filter is one of a programme: what it names is there.
pub(super) fn check(filter: &Filter, programme: &Programme) -> Answer<()> {
    let published = programme.published();
    let state = &published.state;
    if let Some(area) = filter.area {
        let Some(entity) = state.entity(area) else {
            let what = format!("there is no entity {area} in the programme");
            let error = ApiError::new(Reason::EntityNotFound, what);
            return Err(error.with_resource("entity", area.to_string()).into());
        };
        if entity.kind != EntityKind::Area {
            let what = format!("names something that is no area but a {}", entity.kind.name());
            return Err(invalid("filter.area_id", what));
        }
    }
    if let Some(org) = &filter.org
        && !state.organisations().contains_key(org)
    {
        return Err(invalid("filter.org", format!("names {org}, which does not take part in the programme")));
    }
    Ok(())
}

fn invalid(path: &str, what: String) -> super::failure::Failure {
    ApiError::invalid(vec![ConvertError::new(path, what)]).into()
}

/// Takes out of a frame what does not pass. Blocks: the first time, it reads the log from its first record.
///
/// # Errors
/// The store does not answer, or what it holds does not read.
pub(super) fn sift(
    mut frame: api::Events,
    filter: &Filter,
    log: &dyn EventLog,
    programme: &Programme,
    places: &AllPlaces,
) -> Result<api::Events, LedgerError> {
    let mut records = Vec::with_capacity(frame.records.len());
    for record in frame.records.iter().filter_map(|frame| frame.record.as_ref()) {
        records.push(read_record(record)?);
    }
    let passes = passing(&records, filter, log, programme, places)?;
    let mut passing = passes.iter();
    frame.bundles.retain_mut(|bundle| keep(bundle, &frame.records, &passes));
    frame.records.retain(|_| passing.next().copied().unwrap_or(false));
    Ok(frame)
}

fn passing(
    records: &[Recorded],
    filter: &Filter,
    log: &dyn EventLog,
    programme: &Programme,
    places: &AllPlaces,
) -> Result<Vec<bool>, LedgerError> {
    let by_author: Vec<bool> = {
        let published = programme.published();
        records.iter().map(|record| filter.fits_author(record, &published.state)).collect()
    };
    let Some(last) = records.last().filter(|_| filter.area.is_some()) else { return Ok(by_author) };
    let places = places.of(programme.id());
    let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
    let places = places.get_or_insert_with(|| Places::new(programme.id()));
    walk(log, programme.id(), places.head().next(), last.position, |record| places.note(&record))?;
    let places = &*places;
    let fits = |(record, by_author): (&Recorded, bool)| {
        let at = |position: Position| move |entity| places.parent_at(entity, position);
        by_author
            && (filter.fits_place(record, at(record.position.previous()))
                || filter.fits_place(record, at(record.position)))
    };
    Ok(records.iter().zip(by_author).map(fits).collect())
}

/// Whether a bundle has a member that passes. Those that do not are named by their hashes, among those that never landed.
fn keep(bundle: &mut v1::Bundle, records: &[api::RecordFrame], passes: &[bool]) -> bool {
    let mut any = false;
    for (frame, passes) in records.iter().zip(passes) {
        let Some(record) = &frame.record else { continue };
        if record.bundle_position != bundle.position {
            continue;
        }
        any |= *passes;
        if !passes {
            let (index, body_hash) = (record.bundle_index, record.body_hash.clone());
            bundle.absent.push(v1::AbsentMember { index, body_hash });
        }
    }
    bundle.absent.sort_by_key(|member| member.index);
    any
}
