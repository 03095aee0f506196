//! When two writes of a field say the same.

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use crate::field::FieldKey;
use crate::register::Content;
use crate::value::Values;

/// Whether two contents of `field` are equal: text in NFC; costs by amount and currency; places by parent; life by
/// state and merge target. A forgotten value equals nothing.
pub fn equal(field: FieldKey, one: &Content, two: &Content, values: &dyn Values) -> bool {
    match (one, two) {
        (Content::Sealed(a), Content::Sealed(b)) => {
            a == b
                || match (values.bytes(*a), values.bytes(*b)) {
                    (Some(a), Some(b)) => equal_bytes(field, &a, &b),
                    _ => false,
                }
        }
        (Content::Place { parent: a, .. }, Content::Place { parent: b, .. }) => a == b,
        _ => one == two,
    }
}

fn equal_bytes(field: FieldKey, one: &[u8], two: &[u8]) -> bool {
    if field == FieldKey::Cost {
        let (amount, raw) = split_cost(one);
        let (other, other_raw) = split_cost(two);
        return amount == other && (amount != b"?" || equal_text(raw, other_raw));
    }
    equal_text(one, two)
}

/// The part of a cost before its line feed and the part after it.
fn split_cost(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (b"?", bytes),
    }
}

/// Whether two texts are the same in NFC. Spaces and letter case count.
pub(crate) fn same_text(one: &str, two: &str) -> bool {
    if one == two {
        return true;
    }
    // Nearly every text is in NFC as it stands, and then other bytes are another text.
    let is_plain = |text: &str| text.is_ascii() || is_nfc(text);
    !(is_plain(one) && is_plain(two)) && one.nfc().eq(two.nfc())
}

fn equal_text(one: &[u8], two: &[u8]) -> bool {
    if one == two {
        return true;
    }
    match (std::str::from_utf8(one), std::str::from_utf8(two)) {
        (Ok(one), Ok(two)) => same_text(one, two),
        _ => false,
    }
}
