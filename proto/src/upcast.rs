//! Old shapes to today's domain event, when a body is read; stored bytes never change.
//!
//! The rule: a kind's `schema_version` goes up when its shape gains a meaning that an older reader must not miss. Every
//! version that was ever written stays readable here for ever, and a reader turns it into the newest domain event. A
//! version newer than this reader knows is [`Change::Unknown`], like a kind that it does not know: kept, verified and
//! skipped. So far every kind has version 1 only.

use radslag_core::event::Change;

use crate::convert::{ConvertError, is_known_kind, name_of, read_first_shape};
use crate::event::v1::EventBody;

/// The version in which this release writes every kind.
pub const NEWEST_SCHEMA: u32 = 1;

/// Reads the change of a body in whatever version it was written. `kind` and the field that is set must agree.
pub(crate) fn read_change(body: &EventBody) -> Result<Change, ConvertError> {
    let Some(change) = &body.change else {
        if is_known_kind(&body.kind) {
            return Err(ConvertError::new("change", "is missing though the kind is known"));
        }
        return Ok(Change::Unknown);
    };
    if body.kind != name_of(change) {
        return Err(ConvertError::new("kind", "is not the name of the change that is set"));
    }
    match body.schema_version {
        1 => read_first_shape(change),
        _ => Ok(Change::Unknown),
    }
}
