//! Ids, digests, keys and names: sixteen or thirty-two bytes in bodies and records, canonical text in the api.

use std::fmt::Display;
use std::str::FromStr;

use radslag_core::digest::Digest;
use radslag_core::id::{DeviceId, EntityId, EpochId, EventId, GroupId, MemberId, OrgId, ProgramId};
use radslag_core::order::is_key;

use super::{At, ConvertError, ensure, wrong};

/// An identifier of sixteen bytes.
pub trait Id: Copy + Ord + Display + FromStr {
    /// Reads sixteen bytes; none for any other length.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
    /// The sixteen bytes, for a message.
    fn to_vec(self) -> Vec<u8>;
    /// Whether all sixteen bytes are zero.
    fn is_zero(&self) -> bool;
}

macro_rules! ids {
    ($($name:ident),*) => {
        $(impl Id for $name {
            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Self::from_slice(bytes)
            }

            fn to_vec(self) -> Vec<u8> {
                self.bytes().to_vec()
            }

            fn is_zero(&self) -> bool {
                Self::is_zero(self)
            }
        })*
    };
}

ids!(ProgramId, EventId, EntityId, DeviceId, MemberId, EpochId, GroupId);

/// Reads an id as bodies and records hold it.
pub(crate) fn id<T: Id>(bytes: &[u8]) -> Result<T, ConvertError> {
    T::from_bytes(bytes).ok_or_else(|| wrong(format!("is {} bytes, an id has 16", bytes.len())))
}

/// Reads an id where sixteen zero bytes mean something else: an entity (no party), an opened epoch (the first).
pub(crate) fn real_id<T: Id>(bytes: &[u8]) -> Result<T, ConvertError> {
    let read: T = id(bytes)?;
    ensure(!read.is_zero(), "is all zeros")?;
    Ok(read)
}

/// Reads a [`real_id`] or nothing, which is an empty field.
pub(crate) fn optional_id<T: Id>(bytes: &[u8]) -> Result<Option<T>, ConvertError> {
    if bytes.is_empty() { Ok(None) } else { real_id(bytes).map(Some) }
}

/// The field that [`optional_id`] reads.
pub(crate) fn optional_bytes<T: Id>(id: Option<T>) -> Vec<u8> {
    id.map_or_else(Vec::new, |id| id.to_vec())
}

/// Reads ids that ascend without repeats.
pub(crate) fn ascending_ids<T: Id>(field: &[Vec<u8>]) -> Result<Vec<T>, ConvertError> {
    let mut ids: Vec<T> = Vec::with_capacity(field.len());
    for (index, bytes) in field.iter().enumerate() {
        let next: T = id(bytes).at_index(index)?;
        let ascends = ids.last().is_none_or(|last| *last < next);
        ensure(ascends, "does not ascend").at_index(index)?;
        ids.push(next);
    }
    Ok(ids)
}

/// The field that [`ascending_ids`] reads.
pub(crate) fn ids_bytes<T: Id>(ids: &[T]) -> Vec<Vec<u8>> {
    ids.iter().map(|id| id.to_vec()).collect()
}

/// Reads thirty-two bytes of SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> Result<Digest, ConvertError> {
    fixed(bytes).map(Digest::new)
}

/// Reads bytes of one length only: a digest, a key, a signature, a salt.
pub(crate) fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], ConvertError> {
    bytes.try_into().map_err(|_| wrong(format!("is {} bytes, not {N}", bytes.len())))
}

/// Reads an organisation's short name.
pub(crate) fn org(text: &str) -> Result<OrgId, ConvertError> {
    text.parse().map_err(|_| wrong("is not 1 to 40 of a-z, 0-9 and \"-\""))
}

/// Reads a place among siblings.
pub(crate) fn order_key(text: &str) -> Result<String, ConvertError> {
    ensure(is_key(text), "is not 1 to 200 of 0-9 and a-z with a last character other than 0")?;
    Ok(text.to_owned())
}

/// Reads an id of the api: a canonical lower-case UUID. `path` is the field's.
pub fn parse_id<T: Id>(path: &str, text: &str) -> Result<T, ConvertError> {
    let parsed = text.parse::<T>().ok().filter(|id| id.to_string() == text);
    parsed.ok_or_else(|| ConvertError::new(path, "is not a lower-case UUID with hyphens"))
}

/// Reads an id of the api or nothing, which is an empty field.
pub fn parse_optional_id<T: Id>(path: &str, text: &str) -> Result<Option<T>, ConvertError> {
    if text.is_empty() { Ok(None) } else { parse_id(path, text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_takes_one_spelling_of_an_id() {
        let text = "00112233-4455-4677-8899-aabbccddeeff";
        assert_eq!(parse_id::<EntityId>("entity_id", text).unwrap().to_string(), text);
        for other in ["", "00112233445546778899aabbccddeeff", "00112233-4455-4677-8899-AABBCCDDEEFF", "area"]
        {
            let error = parse_id::<EntityId>("entity_id", other).unwrap_err();
            assert_eq!(error.path, "entity_id", "{other}");
        }
        assert_eq!(parse_optional_id::<EntityId>("lead_id", ""), Ok(None));
    }

    #[test]
    fn a_path_grows_from_the_inside_out() {
        let field = [vec![1; 16], vec![0; 15]];
        let error = ascending_ids::<EventId>(&field).at("settles").at("conflict_resolved").unwrap_err();
        assert_eq!(error.path, "conflict_resolved.settles[1]");
        assert_eq!(error.to_string(), "conflict_resolved.settles[1]: is 15 bytes, an id has 16");
    }
}
