//! Reading requests: every field that is wrong is named, all at once.

use radslag_core::as_of::{AsOf, Recorded};
use radslag_core::basis::Basis;
use radslag_core::digest::Digest;
use radslag_core::filter::Filter;
use radslag_core::id::{EventId, Position};
use radslag_core::time::CivilDate;
use radslag_proto::api::v1 as api;
use radslag_proto::convert::ConvertError;
use radslag_proto::convert::bundle::{LogCursor, PushedBundle, decode_bundle, decode_cursor};
use radslag_proto::convert::id::{Id, parse_id, parse_optional_id};
use radslag_proto::convert::time::{instant, parse_date};
use radslag_proto::status::ApiError;

use super::failure::Failure;
use super::point::Asked;

const PAGE_SIZE: usize = 100;
const MOST_PER_PAGE: u32 = 500;

/// Collects what is wrong with a request. Each reader gives the field, or nothing and notes why.
#[derive(Default)]
pub(super) struct Fields {
    wrong: Vec<ConvertError>,
}

impl Fields {
    /// The error that names everything that was noted.
    pub(super) fn into_failure(self) -> Failure {
        ApiError::invalid(self.wrong).into()
    }

    fn note<T>(&mut self, read: Result<T, ConvertError>) -> Option<T> {
        read.map_err(|error| self.wrong.push(error)).ok()
    }

    /// An id that must be there.
    pub(super) fn id<T: Id>(&mut self, path: &str, text: &str) -> Option<T> {
        self.note(parse_id(path, text))
    }

    /// An id, or nothing where the field is empty.
    pub(super) fn optional_id<T: Id>(&mut self, path: &str, text: &str) -> Option<Option<T>> {
        self.note(parse_optional_id(path, text))
    }

    /// Thirty-two bytes, or nothing where the field is empty.
    pub(super) fn digest(&mut self, path: &str, bytes: &[u8]) -> Option<Option<Digest>> {
        if bytes.is_empty() {
            return Some(None);
        }
        let what = || ConvertError::new(path, format!("is {} bytes, not 32", bytes.len()));
        self.note(Digest::from_slice(bytes).map(Some).ok_or_else(what))
    }

    /// A message that must be there.
    pub(super) fn required<T>(&mut self, path: &str, field: Option<T>) -> Option<T> {
        self.note(field.ok_or_else(|| ConvertError::new(path, "is missing")))
    }

    /// The id that names a call in the log, as text; empty where there is none.
    pub(super) fn request_id(&mut self, text: &str) -> Option<String> {
        let id: Option<EventId> = self.optional_id("request_id", text)?;
        Some(id.map_or_else(String::new, |id| id.to_string()))
    }

    /// How many items a page holds at most.
    pub(super) fn page_size(&mut self, size: u32) -> Option<usize> {
        if size > MOST_PER_PAGE {
            let what = format!("is {size}, at most {MOST_PER_PAGE}");
            return self.note(Err(ConvertError::new("page_size", what)));
        }
        let size = usize::try_from(size).unwrap_or(PAGE_SIZE);
        Some(if size == 0 { PAGE_SIZE } else { size })
    }

    /// How many items a page holds at most, where no number means as many as fit.
    pub(super) fn page_size_or_all(&mut self, size: u32) -> Option<usize> {
        if size == 0 { Some(usize::MAX) } else { self.page_size(size) }
    }

    /// A point on both clocks, or the basis of an earlier answer; one that is not set is the head.
    pub(super) fn as_of(&mut self, path: &str, as_of: Option<&api::AsOf>) -> Option<Asked> {
        let Some(as_of) = as_of else { return Some(Asked::default()) };
        if let Some(api::as_of::Recorded::Basis(basis)) = &as_of.recorded {
            return self.asked_again(path, basis, &as_of.effective_on);
        }
        let recorded = self.recorded(path, as_of);
        let baseline = match &as_of.recorded {
            Some(api::as_of::Recorded::BaselineId(id)) => {
                self.id(&format!("{path}.baseline_id"), id).map(Some)
            }
            _ => Some(None),
        };
        let effective = self.optional_day(&format!("{path}.effective_on"), &as_of.effective_on);
        let at = AsOf { recorded: recorded?, effective: effective? };
        Some(Asked { at, basis: None, baseline: baseline? })
    }

    /// A day, or nothing where the field is empty.
    fn optional_day(&mut self, path: &str, text: &str) -> Option<Option<CivilDate>> {
        if text.is_empty() { Some(None) } else { self.note(parse_date(path, text)).map(Some) }
    }

    fn asked_again(&mut self, path: &str, basis: &api::Basis, effective_on: &str) -> Option<Asked> {
        if !effective_on.is_empty() {
            let what = ConvertError::new(format!("{path}.effective_on"), "is part of the basis");
            let _: Option<()> = self.note(Err(what));
        }
        let epoch = self.id(&format!("{path}.basis.epoch_id"), &basis.epoch_id);
        let day = self.optional_day(&format!("{path}.basis.effective_on"), &basis.effective_on);
        let (position, effective_on) = (Position::new(basis.position), day?);
        let (redactions, view_version) = (basis.redactions, basis.view_version);
        let basis = Basis { epoch: epoch?, position, effective_on, redactions, view_version };
        let at = AsOf { recorded: Recorded::Position(position), effective: effective_on };
        self.wrong.is_empty().then_some(Asked { at, basis: Some(basis), baseline: None })
    }

    fn recorded(&mut self, path: &str, as_of: &api::AsOf) -> Option<Recorded> {
        match &as_of.recorded {
            None | Some(api::as_of::Recorded::Basis(_) | api::as_of::Recorded::BaselineId(_)) => {
                Some(Recorded::Head)
            }
            Some(api::as_of::Recorded::Position(position)) => {
                Some(Recorded::Position(Position::new(*position)))
            }
            Some(api::as_of::Recorded::Instant(timestamp)) => {
                let read = instant(timestamp).map_err(|error| error.within(&format!("{path}.instant")));
                self.note(read).map(Recorded::Instant)
            }
            Some(api::as_of::Recorded::LocalDate(text)) => {
                self.note(parse_date(&format!("{path}.local_date"), text)).map(Recorded::Day)
            }
        }
    }

    /// A place in a log, or nothing where the field is not set.
    pub(super) fn cursor(&mut self, path: &str, cursor: Option<&api::Cursor>) -> Option<Option<LogCursor>> {
        let Some(cursor) = cursor else { return Some(None) };
        self.note(decode_cursor(cursor).map_err(|error| error.within(path))).map(Some)
    }

    /// What a reader follows; everything where the field is not set.
    pub(super) fn filter(&mut self, path: &str, filter: Option<&api::Filter>) -> Option<Filter> {
        let Some(filter) = filter else { return Some(Filter::default()) };
        if filter.area_id.is_empty() && filter.org.is_empty() {
            return self.note(Err(ConvertError::new(path, "names neither an area nor an organisation")));
        }
        let area = self.optional_id(&format!("{path}.area_id"), &filter.area_id);
        let org = match filter.org.as_str() {
            "" => Some(None),
            org => {
                let read =
                    org.parse().map_err(|error| ConvertError::new(format!("{path}.org"), format!("{error}")));
                self.note(read).map(Some)
            }
        };
        Some(Filter { area: area?, org: org? })
    }

    /// A pushed bundle. What is wrong with the body or a value of an event is that event's answer, not the request's error.
    pub(super) fn bundle(&mut self, bundle: Option<api::Bundle>) -> Option<PushedBundle> {
        let faults = bundle.as_ref().map(bundle_faults).unwrap_or_default();
        match decode_bundle(bundle) {
            Ok(bundle) => Some(bundle),
            Err(first) => {
                let others = faults.into_iter().filter(|fault| fault.path != first.path);
                let all: Vec<ConvertError> = others.chain([first.clone()]).collect();
                self.wrong.extend(all);
                None
            }
        }
    }
}

/// Reading a bundle stops at its first fault; these are told beside it.
fn bundle_faults(bundle: &api::Bundle) -> Vec<ConvertError> {
    let mut faults = Fields::default();
    let _program: Option<radslag_core::id::ProgramId> = faults.id("bundle.program_id", &bundle.program_id);
    let _device: Option<radslag_core::id::DeviceId> = faults.id("bundle.device_id", &bundle.device_id);
    let signature = bundle.signature.len();
    if signature != 64 {
        faults.wrong.push(ConvertError::new("bundle.signature", format!("is {signature} bytes, not 64")));
    }
    if bundle.events.is_empty() {
        faults.wrong.push(ConvertError::new("bundle.events", "is empty"));
    }
    faults.wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(fields: &Fields) -> Vec<&str> {
        fields.wrong.iter().map(|error| error.path.as_str()).collect()
    }

    #[test]
    fn a_request_hears_of_everything_that_is_wrong_with_it() {
        let mut fields = Fields::default();
        let bundle = api::Bundle { program_id: "abc".to_owned(), ..api::Bundle::default() };
        assert!(fields.bundle(Some(bundle)).is_none());
        assert!(fields.request_id("7").is_none());
        let mut found = paths(&fields);
        found.sort_unstable();
        assert_eq!(
            found,
            ["bundle.device_id", "bundle.events", "bundle.program_id", "bundle.signature", "request_id"]
        );
    }

    #[test]
    fn both_clocks_of_a_point_are_read() {
        let mut fields = Fields::default();
        let point = api::AsOf {
            recorded: Some(api::as_of::Recorded::LocalDate("10 april".to_owned())),
            effective_on: "2019-02-29".to_owned(),
        };
        assert!(fields.as_of("from", Some(&point)).is_none());
        assert_eq!(paths(&fields), ["from.local_date", "from.effective_on"]);
        let point = api::AsOf {
            recorded: Some(api::as_of::Recorded::Position(7)),
            effective_on: "2019-07-01".to_owned(),
        };
        let read = fields.as_of("from", Some(&point)).unwrap();
        assert_eq!(read.at.recorded, Recorded::Position(Position::new(7)));
        assert_eq!(read.at.effective.unwrap().to_string(), "2019-07-01");
        assert_eq!(fields.as_of("to", None), Some(Asked::default()));
        // A basis says both.
        let mut fields = Fields::default();
        let basis =
            api::Basis { epoch_id: "x".to_owned(), effective_on: "1".to_owned(), ..api::Basis::default() };
        let recorded = Some(api::as_of::Recorded::Basis(basis));
        let point = api::AsOf { recorded, effective_on: "2019-07-01".to_owned() };
        assert!(fields.as_of("to", Some(&point)).is_none());
        assert_eq!(paths(&fields), ["to.effective_on", "to.basis.epoch_id", "to.basis.effective_on"]);
    }

    #[test]
    fn pages_hold_one_to_five_hundred() {
        let mut fields = Fields::default();
        let sizes = [0, 1, 500].map(|size| fields.page_size(size));
        assert_eq!(sizes, [Some(100), Some(1), Some(500)]);
        assert_eq!(fields.page_size(501), None);
        assert_eq!(paths(&fields), ["page_size"]);
    }
}
