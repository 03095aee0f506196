//! Why a call as a whole was not done: the engine's errors in the words of the api. Causes stay here, in the log.

use radslag_engine::engine::EngineError;
use radslag_engine::ledger::LedgerError;
use radslag_log::LogError;
use radslag_proto::status::{ApiError, Reason};
use tonic::Status;

/// An error of the api. Boxed, because it is large and seldom.
#[derive(Debug)]
pub(super) struct Failure(Box<ApiError>);

/// What a call comes to.
pub(super) type Answer<T> = Result<T, Failure>;

impl Failure {
    /// Why.
    pub(super) const fn reason(&self) -> Reason {
        self.0.reason
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(Box::new(error))
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        tracing::debug!(reason = failure.0.reason.name(), error = %failure.0, "the call fails");
        Self::from(*failure.0)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let said = error.to_string();
        let api = match &error {
            EngineError::ProgramNotFound(id) => {
                ApiError::new(Reason::ProgramNotFound, said).with_resource("program", id.to_string())
            }
            EngineError::ProgramExists(id) => {
                ApiError::new(Reason::ProgramExists, said).with_resource("program", id.to_string())
            }
            EngineError::CreationDenied(_) => ApiError::new(Reason::CreationDenied, said),
            EngineError::QueueFull => ApiError::new(Reason::QueueFull, said),
            EngineError::WritesStopped { reason } => {
                tracing::error!(reason, "a push was turned away: writes have stopped");
                ApiError::new(
                    Reason::WritesStopped,
                    "the server has stopped writing; it still answers what is asked",
                )
            }
            EngineError::NoRoom(_) => ApiError::new(
                Reason::DiskFull,
                "the server's disk is nearly full; it still answers what is asked",
            ),
            EngineError::PositionAhead { asked, head } => ApiError::new(Reason::PositionAhead, said)
                .with_metadata("position", asked.to_string())
                .with_metadata("head", head.to_string()),
            EngineError::Damaged(cause) => {
                tracing::error!(cause, "the log cannot be read");
                ApiError::new(Reason::LogDamaged, "the log cannot be read")
            }
            EngineError::ClockUnfit(_) => ApiError::new(Reason::ClockUnfit, said),
            EngineError::ShuttingDown => ApiError::new(Reason::ShuttingDown, said),
        };
        api.into()
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        EngineError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use radslag_core::id::{Position, ProgramId};
    use radslag_engine::timekeeper::Standing;

    use super::*;

    #[test]
    fn causes_never_leave_the_server() {
        for error in [
            EngineError::Damaged("/var/lib/radslag: bad page".to_owned()),
            EngineError::WritesStopped { reason: "/var/lib/radslag: no space".to_owned() },
        ] {
            let status = Status::from(Failure::from(error));
            assert!(!status.message().contains("/var"), "{status}");
            assert!(!String::from_utf8_lossy(status.details()).contains("/var"), "{status}");
        }
    }

    #[test]
    fn every_error_of_the_engine_has_its_own_reason() {
        let errors = [
            (EngineError::ProgramNotFound(ProgramId::default()), Reason::ProgramNotFound),
            (EngineError::ProgramExists(ProgramId::default()), Reason::ProgramExists),
            (EngineError::CreationDenied("it is".to_owned()), Reason::CreationDenied),
            (EngineError::QueueFull, Reason::QueueFull),
            (EngineError::WritesStopped { reason: String::new() }, Reason::WritesStopped),
            (EngineError::NoRoom(LogError::NoRoom { wanted: 9, left: 7 }), Reason::DiskFull),
            (
                EngineError::PositionAhead { asked: Position::new(9), head: Position::new(7) },
                Reason::PositionAhead,
            ),
            (EngineError::Damaged(String::new()), Reason::LogDamaged),
            (EngineError::ClockUnfit(Standing::Outrun(3_601)), Reason::ClockUnfit),
            (EngineError::ShuttingDown, Reason::ShuttingDown),
        ];
        for (error, reason) in errors {
            assert_eq!(Failure::from(error).0.reason, reason);
        }
    }
}
