//! Messages to the domain and back. Decoding is strict: what it takes, every replica takes, for ever; whether an event
//! fits the programme is judged later. Errors carry the path of the field, never what somebody wrote in it.
//!
//! Stored bytes are opaque: a body is decoded to be read, and only its author ever encodes it.

pub mod bundle;
mod change;
pub mod event;
pub mod field;
pub mod id;
pub mod record;
#[cfg(test)]
pub(crate) mod samples;
mod slots;
pub mod snapshot;
pub mod time;
pub mod value;
pub mod verdict;

pub(crate) use change::{is_known_kind, name_of, read_first_shape};

/// A field that does not say what it may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {what}")]
pub struct ConvertError {
    /// The field, as in the `.proto` files: `activity_added.responsible[2]`.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

impl ConvertError {
    /// An error in the field that `path` names.
    pub fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self { path: path.into(), what: what.into() }
    }

    /// The same error, seen from the message that holds `segment`.
    #[must_use]
    pub fn within(mut self, segment: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{segment}{joint}{}", self.path);
        self
    }
}

/// An error whose path the caller adds.
fn wrong(what: impl Into<String>) -> ConvertError {
    ConvertError::new("", what)
}

/// Adds to the path of an error on its way out.
trait At {
    /// The value stands in the field `segment`.
    fn at(self, segment: &str) -> Self;
    /// The value is the element `index` of a repeated field.
    fn at_index(self, index: usize) -> Self;
}

impl<T> At for Result<T, ConvertError> {
    fn at(self, segment: &str) -> Self {
        self.map_err(|error| error.within(segment))
    }

    fn at_index(self, index: usize) -> Self {
        self.map_err(|error| error.within(&format!("[{index}]")))
    }
}

/// The message in a field that must be set.
fn required<T>(field: Option<T>) -> Result<T, ConvertError> {
    field.ok_or_else(|| wrong("is missing"))
}

/// `Ok` when the condition holds, else an error that says `what`.
fn ensure(condition: bool, what: &str) -> Result<(), ConvertError> {
    if condition { Ok(()) } else { Err(wrong(what)) }
}
