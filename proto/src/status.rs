//! Reasons as gRPC statuses, and back: the only place that knows gRPC codes.
//!
//! Every error status carries `ErrorInfo{reason, domain: "radslag", metadata}`; its class decides the code and which other
//! detail goes along. The message is for a person; causes go to the log and never on the wire. Refusals and rejections
//! travel in an OK reply, by name; they are reasons too, so that a client treats a name alike wherever it meets it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use radslag_core::rejection::RejectionCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::convert::ConvertError;

/// The domain of every reason.
pub const DOMAIN: &str = "radslag";
/// The most violations that a status names; details travel in a header, and clients bound those.
pub const VIOLATIONS: usize = 32;

const BUSY_DELAY: Duration = Duration::from_secs(1);
const AWAY_DELAY: Duration = Duration::from_secs(5);
const INTERNAL_MESSAGE: &str = "internal error";

/// What a caller does about a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Fixes the request; it names what is wrong with it.
    Invalid,
    /// Checks the name.
    Missing,
    /// Takes what is there, or another name.
    Exists,
    /// Pulls, looks, sends again.
    Stale,
    /// Changes the state first.
    State,
    /// Asks for an earlier point.
    Range,
    /// Signs in.
    Anonymous,
    /// Asks the owner.
    Denied,
    /// Waits and sends the same again: there is too much to do.
    Busy,
    /// Waits and sends the same again: the server is not there or not able.
    Away,
    /// Asks the operator: what is stored is damaged.
    Damaged,
    /// Asks the operator: a fault of the program.
    Bug,
}

impl Class {
    /// The gRPC code of the class.
    const fn code(self) -> Code {
        match self {
            Self::Invalid => Code::InvalidArgument,
            Self::Missing => Code::NotFound,
            Self::Exists => Code::AlreadyExists,
            Self::Stale => Code::Aborted,
            Self::State => Code::FailedPrecondition,
            Self::Range => Code::OutOfRange,
            Self::Anonymous => Code::Unauthenticated,
            Self::Denied => Code::PermissionDenied,
            Self::Busy => Code::ResourceExhausted,
            Self::Away => Code::Unavailable,
            Self::Damaged => Code::DataLoss,
            Self::Bug => Code::Internal,
        }
    }

    /// The class of a code that came without a reason: from a proxy, a transport or another server.
    const fn of_code(code: Code) -> Self {
        match code {
            Code::InvalidArgument => Self::Invalid,
            Code::NotFound => Self::Missing,
            Code::AlreadyExists => Self::Exists,
            Code::Aborted => Self::Stale,
            Code::FailedPrecondition | Code::Unimplemented => Self::State,
            Code::OutOfRange => Self::Range,
            Code::Unauthenticated => Self::Anonymous,
            Code::PermissionDenied => Self::Denied,
            Code::ResourceExhausted => Self::Busy,
            // A broken connection arrives as any of these; every call may be repeated, so waiting is right.
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => Self::Away,
            Code::DataLoss => Self::Damaged,
            Code::Internal | Code::Ok => Self::Bug,
        }
    }

    /// Whether waiting and sending the same again can help.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Busy | Self::Away)
    }

    /// How long to wait where nobody says how long.
    const fn delay(self) -> Option<Duration> {
        match self {
            Self::Busy => Some(BUSY_DELAY),
            Self::Away => Some(AWAY_DELAY),
            Self::Invalid
            | Self::Missing
            | Self::Exists
            | Self::Stale
            | Self::State
            | Self::Range
            | Self::Anonymous
            | Self::Denied
            | Self::Damaged
            | Self::Bug => None,
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $name:literal $class:ident,)*) => {
        /// Why something was not done. `docs/errors` has a page for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name on the wire and in `docs/errors`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What the caller does about it.
            pub const fn class(self) -> Class {
                match self {
                    $(Self::$variant => Class::$class,)*
                }
            }
        }
    };
}

reasons! {
    // The call as a whole.
    /// No such programme on this server.
    ProgramNotFound "PROGRAM_NOT_FOUND" Missing,
    /// No such entity in the programme.
    EntityNotFound "ENTITY_NOT_FOUND" Missing,
    /// The programme is there already.
    ProgramExists "PROGRAM_EXISTS" Exists,
    /// This server does not let the caller begin programmes.
    CreationDenied "CREATION_DENIED" Denied,
    /// A field of the request does not say what it may.
    InvalidRequest "INVALID_REQUEST" Invalid,
    /// The page token was not given for this question.
    InvalidPageToken "INVALID_PAGE_TOKEN" Invalid,
    /// The position lies after the end of the log.
    PositionAhead "POSITION_AHEAD" Range,
    /// The cursor's epoch is not one of this log.
    ForeignEpoch "FOREIGN_EPOCH" State,
    /// The writer's queue is full.
    QueueFull "QUEUE_FULL" Busy,
    /// The server writes no more until it is started again.
    WritesStopped "WRITES_STOPPED" Away,
    /// The server is going down.
    ShuttingDown "SHUTTING_DOWN" Away,
    /// There is no snapshot yet.
    NotYet "NOT_YET" State,
    /// What is stored does not agree with itself.
    LogDamaged "LOG_DAMAGED" Damaged,
    /// A fault of the program.
    Internal "INTERNAL" Bug,

    // An event that was refused: nothing consumed, nothing remembered.
    /// The signature does not verify.
    BadSignature "BAD_SIGNATURE" Anonymous,
    /// No key is enrolled for the device.
    DeviceNotEnrolled "DEVICE_NOT_ENROLLED" Anonymous,
    /// The device may no longer sign.
    DeviceRevoked "DEVICE_REVOKED" Denied,
    /// The body could not be read.
    Undecodable "UNDECODABLE" Invalid,
    /// A value is missing, one too many, malformed, or not the one that was signed.
    ValueMismatch "VALUE_MISMATCH" Invalid,
    /// The event belongs to another programme.
    WrongProgram "WRONG_PROGRAM" Invalid,
    /// The event's base lies after the end of the log.
    BaseAhead "BASE_AHEAD" State,
    /// The event claims to have seen an own event but not the records before it.
    ViewNotClosed "VIEW_NOT_CLOSED" Invalid,
    /// The members of a group do not stand side by side in one bundle.
    GroupIncomplete "GROUP_INCOMPLETE" Invalid,
    /// A limit of the format is exceeded.
    OverLimit "OVER_LIMIT" Invalid,
    /// This server does not let devices enrol themselves.
    EnrolmentClosed "ENROLMENT_CLOSED" Denied,
    /// The key is not one that can be enrolled.
    KeyUnfit "KEY_UNFIT" Invalid,

    // An event that was rejected: a record of the log.
    /// The member, organisation or kind is not allowed to do this.
    Denied "DENIED" Denied,
    /// Strict mode: the field has changed since it was read.
    Stale "STALE" Stale,
    /// Something that the event names is not in the programme.
    EntityMissing "ENTITY_MISSING" Missing,
    /// The id of an addition is taken.
    EntityExists "ENTITY_EXISTS" Exists,
    /// The field has a value dated in the future, so the edit must say its own date.
    DateNeeded "DATE_NEEDED" State,
    /// The field has as many sides as it may.
    TooManySides "TOO_MANY_SIDES" State,
    /// The same file was imported before.
    AlreadyImported "ALREADY_IMPORTED" Exists,
    /// The rules in force do not have this kind of change.
    KindNotInForce "KIND_NOT_IN_FORCE" State,
    /// Another event has the same id.
    IdReused "ID_REUSED" Exists,
    /// A resolution names a side that its author had not seen.
    SettlesUnseen "SETTLES_UNSEEN" Stale,
    /// The entity has no such field, or the field takes no such value.
    FieldUnfit "FIELD_UNFIT" Invalid,
    /// The parent is not of the kind that the entity can stand in.
    ParentUnfit "PARENT_UNFIT" Invalid,
    /// The kind takes no effective date.
    EffectiveDateUnfit "EFFECTIVE_DATE_UNFIT" Invalid,
    /// Rejected by a newer release for a reason that this one has no name for.
    UnknownRejection "UNKNOWN_REJECTION" State,
}

impl Reason {
    /// The reason of that name; none for a name that this release does not know.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }

    /// The reason of a rejection that a record keeps.
    pub fn of_rejection(code: RejectionCode) -> Self {
        Self::from_name(code.name()).unwrap_or(Self::UnknownRejection)
    }
}

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
    Status::with_error_details(class.code(), message, details)
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
    from_status(status).map_or_else(|| Class::of_code(status.code()), |error| error.reason.class())
}

#[cfg(test)]
mod tests {
    use radslag_core::rejection::NAMES;

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
                assert_eq!(status.code(), reason.class().code(), "{reason:?}");
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
            assert_eq!(Class::of_code(class.code()), class);
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
