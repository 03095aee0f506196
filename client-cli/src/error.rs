//! What a person is told when something cannot be done: what is so, why, and which command to run next.

use std::path::PathBuf;

use radslag_client::form::UnfitForm;
use radslag_client::{ClientError, Distrust};
use radslag_core::rejection::Rejection;

/// Why a command ended without doing what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line does not make sense.
    #[error("{0}")]
    Usage(String),
    /// It is not possible as things stand.
    #[error("{what}")]
    Refused {
        /// What is so.
        what: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The replica or the server said no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The log failed verification.
    #[error("{0}")]
    Unverified(String),
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nobody reads what is written any more.
    #[error("broken pipe")]
    BrokenPipe,
    /// The terminal does not take what is written.
    #[error("the output cannot be written")]
    Output(#[source] std::io::Error),
}

impl CliError {
    /// Something that is not possible, with what to do about it.
    pub fn refused(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), hint: Some(hint.into()) }
    }

    /// A command line that does not make sense.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::Usage(what.into())
    }

    /// The process's exit code, as the README lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Client(ClientError::BadAddress(_)) => 2,
            Self::BrokenPipe => 3,
            Self::Client(ClientError::NoAnswer { .. }) => 4,
            Self::Unverified(_) => 5,
            Self::Client(error) if error.is_damage() => 5,
            Self::Client(_) | Self::Refused { .. } | Self::File { .. } | Self::Output(_) => 1,
        }
    }

    /// The command to run next, where there is one.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Usage(_) => "radslag --help",
            Self::Refused { hint, .. } => return hint.clone(),
            Self::Client(error) => return client_hint(error),
            Self::Unverified(_) => "radslag verify (and keep this folder: it may be the proof)",
            Self::File { .. } | Self::BrokenPipe | Self::Output(_) => return None,
        };
        Some(text.to_owned())
    }
}

const fn trust_hint(why: &Distrust) -> &'static str {
    match why {
        Distrust::UnknownAuthority | Distrust::NoAuthorities => {
            "name the file of your authority's certificate: --ca FILE, or in a replica that is there ca = \"FILE\" in .radslag/replica.toml"
        }
        Distrust::OtherName(_) => "write the address with a name that the certificate is for",
        Distrust::Expired | Distrust::NotYetValid => {
            "look at this computer's clock, then ask whoever runs the server for a certificate that is valid"
        }
        Distrust::AuthorityItself | Distrust::Otherwise(_) => {
            "ask whoever runs the server: docs/operating.md says which certificates it takes"
        }
    }
}

fn client_hint(error: &ClientError) -> Option<String> {
    let text = match error {
        ClientError::NoReplica(_) => "radslag init --server URL --program ID --org ORG --member NAME DIR",
        ClientError::ReplicaExists(_) => {
            "choose another folder, or use this one: radslag --replica DIR status"
        }
        ClientError::NoAnswer { .. } => {
            "is the server running? radslagd serve --data DIR --listen ADDR:PORT (changes stay queued meanwhile)"
        }
        ClientError::BadAddress(_) => {
            "write the address as https://HOST:PORT, or http://HOST:PORT on this machine"
        }
        ClientError::Distrusted { why, .. } => trust_hint(why),
        ClientError::SpeaksTls { .. } => {
            "write https:// for http://, in a replica that is there in the file .radslag/replica.toml"
        }
        ClientError::SpeaksNoTls { .. } => {
            "ask whoever runs the server for TLS; without it write http://, on this machine or a network where nobody listens"
        }
        ClientError::NotOurServer { .. } => "check the port: radslag whoami shows the address in use",
        ClientError::Unverified(_) | ClientError::Parted { .. } => {
            "keep this folder as it is and ask the other municipalities to run radslag verify; a copy that was put back on the server belongs there by radslagd restore"
        }
        ClientError::Rejected(_) => "radslag pull, then look with radslag show or radslag conflicts",
        ClientError::DeclinedAgain { number, rejection }
            if matches!(**rejection, Rejection::DateNeeded { .. }) =>
        {
            return Some(format!("radslag outbox resubmit {number} --effective DATE"));
        }
        ClientError::DeclinedAgain { .. } => {
            "nothing has changed: name others, make the change anew, or give it up with radslag outbox discard N"
        }
        ClientError::Forked { .. } => {
            "ask whoever runs the server to let devices enrol for a moment, then radslag sync (changes stay queued meanwhile)"
        }
        ClientError::KeptInOutbox(_) => "radslag sync, then take back what landed with radslag undo",
        ClientError::WouldBeRefused(_) => "nothing is queued; make the change in another way",
        ClientError::TooLarge { .. } => "shorten the text, or make the change in several steps",
        ClientError::Refused { .. } => "radslag outbox list",
        ClientError::Form(UnfitForm::Ahead { .. } | UnfitForm::UnknownEpoch(_)) => {
            "radslag pull, or look again: radslag status prints the base of what is shown now"
        }
        ClientError::Form(UnfitForm::OtherProgram { .. } | UnfitForm::NotShownHere) => {
            "look again: radslag status prints the base of what is shown now"
        }
        ClientError::Empty => "radslag pull",
        ClientError::Log(error) => return error.help().map(str::to_owned),
        ClientError::Api(error) => return Some(format!("see docs/errors/{}.md", error.reason.name())),
        ClientError::BadFile { .. } | ClientError::Io { .. } | ClientError::Command(_) => return None,
    };
    Some(text.to_owned())
}
