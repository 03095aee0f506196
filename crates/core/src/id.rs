//! Identifiers and counters. Each is its own type, so that a device can never stand where a member is meant.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A text that is not an identifier of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct IdError {
    /// What was written.
    pub text: String,
    /// What was wanted, with its article.
    pub expected: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that an `IdSource` made or that was read from a record.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The sixteen bytes as they are hashed and stored.
            pub const fn bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Reads sixteen bytes; none for any other length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }

            /// Whether all sixteen bytes are zero.
            pub fn is_zero(&self) -> bool {
                self.0.is_nil()
            }

            /// The UUID itself, for a caller that needs another form of it.
            pub const fn uuid(&self) -> Uuid {
                self.0
            }

            /// The last eight hexadecimal digits, as the terminal prints it.
            pub fn short(&self) -> String {
                let text = self.0.simple().to_string();
                text[24..].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| IdError { text: text.to_owned(), expected: $what })
            }
        }
    };
}

uuid_id!(
    /// One programme and its log. Random (UUIDv4).
    ProgramId, "a programme id (a UUID)"
);
uuid_id!(
    /// One event, made by its author's device (UUIDv7).
    EventId, "an event id (a UUID)"
);
uuid_id!(
    /// Anything that has fields: the programme itself, an area, a sub-goal, an activity, a party. Random; the
    /// programme's entity id is its [`ProgramId`].
    EntityId, "an entity id (a UUID)"
);
uuid_id!(
    /// One replica's key and sequence. Random.
    DeviceId, "a device id (a UUID)"
);
uuid_id!(
    /// One person who may act in the programme. Random.
    MemberId, "a member id (a UUID)"
);
uuid_id!(
    /// A life of the log between restores. Sixteen zero bytes for the first, random afterwards.
    EpochId, "an epoch id (a UUID)"
);
uuid_id!(
    /// What holds the members of an all-or-nothing group together. Random.
    GroupId, "a group id (a UUID)"
);

impl From<ProgramId> for EntityId {
    fn from(id: ProgramId) -> Self {
        Self(id.0)
    }
}

/// An organisation's public short name: one to forty of `a`–`z`, `0`–`9` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrgId(String);

impl OrgId {
    /// The short name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OrgId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=40).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError {
                text: text.to_owned(),
                expected: "an organisation's short name (1 to 40 of a-z, 0-9 and -)",
            })
        }
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrgId({})", self.0)
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            /// Wraps a number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number itself.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one after it; stays at the largest number there is.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// The one before it; zero stays zero.
            #[must_use]
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter!(
    /// A record's place in its programme's log: gapless from 1; zero is "before the first record".
    Position
);
counter!(
    /// An event's number within its device: from 1; zero is "none yet".
    DeviceSeq
);
