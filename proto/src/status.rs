//! Reasons as gRPC statuses, and back: the only place that knows gRPC codes.
//!
//! Every error status carries `ErrorInfo{reason, domain: "radslag", metadata}`; its class decides the code and which other
//! detail goes along. The message is for a person; causes go to the log and never on the wire. Refusals and rejections
//! travel in an OK reply, by name; they are reasons too, so that a client treats a name alike wherever it meets it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::convert::ConvertError;

mod reason;

pub use reason::{Class, Reason};

/// The domain of every reason.
pub const DOMAIN: &str = "radslag";
/// The most violations that a status names; details travel in a header, and clients bound those.
pub const VIOLATIONS: usize = 32;

const INTERNAL_MESSAGE: &str = "internal error";

/// Why a call failed, as both ends know it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Why.
    pub reason: Reason,
    /// What is so, for a person: lower case, no full stop, no causes.
    pub message: String,
    /// What is wrong with the request or the state, all at once: a path of the `.proto` files and what is so.
    pub violations: Vec<(String, String)>,
    /// What it is about: its type and name.
    pub resource: Option<(String, String)>,
    /// How long to wait at least before the same is sent again.
    pub retry_after: Option<Duration>,
    /// Facts for a program: `head`, `position`, `expected`, `current`.
    pub metadata: BTreeMap<String, String>,
}

impl ApiError {
    /// An error without details; a reason that passes by waiting says how long.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            violations: Vec::new(),
            resource: None,
            retry_after: reason.class().delay(),
            metadata: BTreeMap::new(),
        }
    }

    /// An `INVALID_REQUEST` that names every field that is wrong.
    pub fn invalid(violations: impl IntoIterator<Item = ConvertError>) -> Self {
        let named = violations.into_iter().map(|error| (error.path, error.what)).collect();
        Self {
            violations: named,
            ..Self::new(Reason::InvalidRequest, "the request has fields that are not valid")
        }
    }

    /// Names one more thing that is wrong.
    #[must_use]
    pub fn with_violation(mut self, path: impl Into<String>, what: impl Into<String>) -> Self {
        self.violations.push((path.into(), what.into()));
        self
    }

    /// Says what it is about.
    #[must_use]
    pub fn with_resource(mut self, kind: impl Into<String>, name: impl Into<String>) -> Self {
        self.resource = Some((kind.into(), name.into()));
        self
    }

    /// Says how long to wait at least.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Adds a fact for a program.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }
}

impl From<ConvertError> for ApiError {
    fn from(error: ConvertError) -> Self {
        Self::invalid([error])
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        to_status(&error)
    }
}

/// The gRPC code of the class.
const fn code(class: Class) -> Code {
    match class {
        Class::Invalid => Code::InvalidArgument,
        Class::Missing => Code::NotFound,
        Class::Exists => Code::AlreadyExists,
        Class::Stale => Code::Aborted,
        Class::State => Code::FailedPrecondition,
        Class::Range => Code::OutOfRange,
        Class::Anonymous => Code::Unauthenticated,
        Class::Denied => Code::PermissionDenied,
        Class::Busy => Code::ResourceExhausted,
        Class::Away => Code::Unavailable,
        Class::Damaged => Code::DataLoss,
        Class::Bug => Code::Internal,
    }
}

/// The class of a code that came without a reason: from a proxy, a transport or another server.
const fn class_of_code(code: Code) -> Class {
    match code {
        Code::InvalidArgument => Class::Invalid,
        Code::NotFound => Class::Missing,
        Code::AlreadyExists => Class::Exists,
        Code::Aborted => Class::Stale,
        Code::FailedPrecondition | Code::Unimplemented => Class::State,
        Code::OutOfRange => Class::Range,
        Code::Unauthenticated => Class::Anonymous,
        Code::PermissionDenied => Class::Denied,
        Code::ResourceExhausted => Class::Busy,
        // A broken connection arrives as any of these; every call may be repeated, so waiting is right.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => Class::Away,
        Code::DataLoss => Class::Damaged,
        Code::Internal | Code::Ok => Class::Bug,
    }
}

/// The status of an error. Names at most [`VIOLATIONS`] violations; a fault of the program is always "internal error".
pub fn to_status(error: &ApiError) -> Status {
    let class = error.reason.class();
    let metadata: HashMap<String, String> = error.metadata.clone().into_iter().collect();
    let mut details = ErrorDetails::new();
    details.set_error_info(error.reason.name(), DOMAIN, metadata);
    add_violations(&mut details, error);
    if let Some((kind, name)) = &error.resource {
        details.set_resource_info(kind, name, "", "");
    }
    if let Some(delay) = error.retry_after.or(class.delay()) {
        details.set_retry_info(Some(delay));
    }
    let message = if class == Class::Bug { INTERNAL_MESSAGE } else { &error.message };
    Status::with_error_details(code(class), message, details)
}

fn add_violations(details: &mut ErrorDetails, error: &ApiError) {
    let state = error.reason.class() == Class::State;
    for (path, what) in error.violations.iter().take(VIOLATIONS) {
        if state {
            details.add_precondition_failure_violation(error.reason.name(), path, what);
        } else {
            details.add_bad_request_violation(path, what);
        }
    }
    // The class promises the detail, so it is there even when the reason says everything.
    if state && error.violations.is_empty() {
        details.add_precondition_failure_violation(error.reason.name(), "", &error.message);
    }
}

/// The error that a status carries; none when it is not from this API or its reason is newer than this release. Then
/// [`class_of`] still tells what to do.
pub fn from_status(status: &Status) -> Option<ApiError> {
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == DOMAIN)?;
    let reason = Reason::from_name(&info.reason)?;
    Some(ApiError {
        reason,
        message: status.message().to_owned(),
        violations: violations_of(&details),
        resource: details.resource_info().map(|r| (r.resource_type.clone(), r.resource_name.clone())),
        retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
        metadata: info.metadata.clone().into_iter().collect(),
    })
}

fn violations_of(details: &ErrorDetails) -> Vec<(String, String)> {
    let fields = details.bad_request().map_or(&[][..], |bad| &bad.field_violations);
    let fields = fields.iter().map(|v| (v.field.clone(), v.description.clone()));
    let states = details.precondition_failure().map_or(&[][..], |failure| &failure.violations);
    // A violation without a subject repeats the message.
    let states =
        states.iter().filter(|v| !v.subject.is_empty()).map(|v| (v.subject.clone(), v.description.clone()));
    fields.chain(states).collect()
}

/// What the caller does about any status: its reason's class, or that of its code.
pub fn class_of(status: &Status) -> Class {
    from_status(status).map_or_else(|| class_of_code(status.code()), |error| error.reason.class())
}

#[cfg(test)]
mod tests {
    use radslag_core::rejection::{NAMES, RejectionCode};

    use super::*;

    fn full(reason: Reason) -> ApiError {
        let message = if reason == Reason::Internal { INTERNAL_MESSAGE } else { "the å in the message" };
        ApiError::new(reason, message)
            .with_violation("as_of.position", "is 9, the head is 7")
            .with_violation("page_size", "is 900, at most 500")
            .with_resource("program", "00112233-4455-4677-8899-aabbccddeeff")
            .with_metadata("head", "7")
            .with_metadata("expected", "3")
    }

    #[test]
    fn every_reason_survives_the_way_over_the_wire() {
        for reason in Reason::ALL.iter().copied() {
            assert_eq!(Reason::from_name(reason.name()), Some(reason));
            for error in [full(reason), full(reason).with_retry_after(Duration::from_millis(1_500))] {
                let status = to_status(&error);
                assert_eq!(status.code(), code(reason.class()), "{reason:?}");
                assert_eq!(from_status(&status), Some(error), "{reason:?}");
                assert_eq!(class_of(&status), reason.class());
            }
            let bare = ApiError::new(reason, INTERNAL_MESSAGE);
            assert_eq!(from_status(&to_status(&bare)), Some(bare));
        }
    }

    #[test]
    fn no_two_reasons_share_a_name_and_every_rejection_has_one() {
        let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for (number, name) in NAMES {
            assert_eq!(Reason::of_rejection(RejectionCode::new(*number)).name(), *name);
        }
        assert_eq!(Reason::of_rejection(RejectionCode::new(65_000)), Reason::UnknownRejection);
        assert_eq!(RejectionCode::new(65_000).name(), Reason::UnknownRejection.name());
    }

    #[test]
    fn every_class_has_a_code_of_its_own() {
        for reason in Reason::ALL {
            let class = reason.class();
            assert_eq!(class_of_code(code(class)), class);
        }
    }

    #[test]
    fn every_reason_has_its_page() {
        let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
        for reason in Reason::ALL {
            let page = std::fs::read_to_string(pages.join(format!("{}.md", reason.name())));
            let page = page.unwrap_or_else(|error| panic!("docs/errors/{}.md: {error}", reason.name()));
            assert!(page.starts_with(&format!("# {}\n", reason.name())), "{}", reason.name());
            assert!(
                (6..=12).contains(&page.lines().count()),
                "{} has {} lines",
                reason.name(),
                page.lines().count()
            );
        }
        for entry in std::fs::read_dir(&pages).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let reason = name.strip_suffix(".md").unwrap_or(&name);
            assert!(
                reason == "README" || Reason::from_name(reason).is_some(),
                "docs/errors/{name} is of no reason"
            );
        }
    }

    #[test]
    fn what_waiting_cures_says_how_long() {
        for reason in Reason::ALL.iter().copied().filter(|reason| reason.class().is_transient()) {
            let silent = ApiError { retry_after: None, ..ApiError::new(reason, "later") };
            let told = from_status(&to_status(&silent)).unwrap();
            assert!(told.retry_after.is_some_and(|delay| !delay.is_zero()), "{reason:?}");
        }
    }

    #[test]
    fn a_fault_of_the_program_tells_a_caller_nothing() {
        let status = to_status(&ApiError::new(Reason::Internal, "disk /var/lib/x: permission denied"));
        assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
    }

    #[test]
    fn a_status_from_somewhere_else_is_not_read_as_ours() {
        assert_eq!(from_status(&Status::unavailable("upstream connect error")), None);
        assert_eq!(class_of(&Status::unavailable("upstream connect error")), Class::Away);
        let mut details = ErrorDetails::new();
        details.set_error_info("QUEUE_FULL", "elsewhere.example", HashMap::new());
        assert_eq!(from_status(&Status::with_error_details(Code::NotFound, "no", details)), None);
        let mut details = ErrorDetails::new();
        details.set_error_info("FROM_THE_FUTURE", DOMAIN, HashMap::new());
        let newer = Status::with_error_details(Code::ResourceExhausted, "no", details);
        assert_eq!((from_status(&newer), class_of(&newer)), (None, Class::Busy));
    }

    #[test]
    fn a_thousand_violations_still_fit_a_header() {
        let errors = (0..1_000).map(|n| ConvertError::new(format!("bundle.events[{n}]"), "is empty"));
        let status = to_status(&ApiError::invalid(errors));
        assert_eq!(from_status(&status).unwrap().violations.len(), VIOLATIONS);
        assert!(status.details().len() < 4_096);
    }
}
