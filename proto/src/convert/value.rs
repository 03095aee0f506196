//! What people typed, beside its body. The bytes of a slot are checked here; their digests by whoever verifies.

use std::collections::BTreeSet;

use radslag_core::value::{Slot, Value};

use super::id::fixed;
use super::slots::read_slot;
use super::{At, ConvertError, ensure, wrong};
use crate::log::v1 as wire;

/// Reads a value: its slot, its salt (not all zero), and bytes that the slot takes.
pub fn decode_value(value: &wire::Value) -> Result<Value, ConvertError> {
    let slot = read_slot(value.slot).at("slot")?;
    let salt: [u8; 16] = fixed(&value.salt).at("salt")?;
    ensure(salt != [0; 16], "is all zeros").at("salt")?;
    check_value_bytes(slot, &value.bytes)?;
    Ok(Value { slot, salt, bytes: value.bytes.clone() })
}

/// Reads the values of one event: each slot and each salt at most once. Paths are relative to the list.
pub fn decode_values(values: &[wire::Value]) -> Result<Vec<Value>, ConvertError> {
    let mut slots = BTreeSet::new();
    let mut salts = BTreeSet::new();
    let mut read = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let value = decode_value(value).at_index(index)?;
        ensure(slots.insert(value.slot), "is there twice").at("slot").at_index(index)?;
        ensure(salts.insert(value.salt), "is used twice in one event").at("salt").at_index(index)?;
        read.push(value);
    }
    Ok(read)
}

/// The message for a value.
pub fn encode_value(value: &Value) -> wire::Value {
    wire::Value { slot: value.slot.get().into(), salt: value.salt.to_vec(), bytes: value.bytes.clone() }
}

/// The messages for the values of one event.
pub fn encode_values(values: &[Value]) -> Vec<wire::Value> {
    values.iter().map(encode_value).collect()
}

/// Checks that a slot takes these bytes (`docs/format.md`, "Values and their digests"). The path of an error is `bytes`.
/// A slot that this release does not know takes any.
pub fn check_value_bytes(slot: Slot, bytes: &[u8]) -> Result<(), ConvertError> {
    let checked = match slot {
        Slot::TITLE
        | Slot::GOAL
        | Slot::COMMENT
        | Slot::TIME
        | Slot::RESPONSIBLE_TEXT
        | Slot::NAME
        | Slot::MEMBER_NAME
        | Slot::REASON
        | Slot::DECISION => text(bytes).map(|_| ()),
        Slot::COST => text(bytes).and_then(check_cost),
        Slot::FILE_DIGEST => ensure(bytes.len() == 32, "is not 32 bytes"),
        // A layout is read by those who export; a slot that is not known here is kept for those who know it.
        _ => Ok(()),
    };
    checked.at("bytes")
}

fn text(bytes: &[u8]) -> Result<&str, ConvertError> {
    std::str::from_utf8(bytes).map_err(|_| wrong("is not UTF-8"))
}

/// Checks `"<öre> <currency>\n<raw>"` or `"?\n<raw>"`.
fn check_cost(cost: &str) -> Result<(), ConvertError> {
    let (head, _raw) = cost.split_once('\n').ok_or_else(|| wrong("is a cost without a line feed"))?;
    if head == "?" {
        return Ok(());
    }
    let (amount, currency) =
        head.split_once(' ').ok_or_else(|| wrong("is a cost without an amount and a currency"))?;
    ensure(
        is_amount(amount),
        "is a cost whose amount is not decimal digits without leading zeros, below 2^63",
    )?;
    let named = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
    ensure(named, "is a cost whose currency is not three letters A-Z")
}

fn is_amount(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    digits && canonical && text.parse::<i64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(slot: u32, salt: u8, bytes: &[u8]) -> wire::Value {
        wire::Value { slot, salt: vec![salt; 16], bytes: bytes.to_vec() }
    }

    #[test]
    fn values_read_back_as_they_were_written() {
        let there = vec![
            value(9, 1, "Kommunstyrelsen §\u{a0}12".as_bytes()),
            value(1, 2, b""),
            value(700, 3, &[0xff]),
        ];
        let read = decode_values(&there).unwrap();
        assert_eq!(encode_values(&read), there);
    }

    #[test]
    fn a_malformed_value_says_where() {
        let good = value(1, 1, b"a");
        let cases = [
            (value(0, 2, b""), "[1].slot"),
            (value(65_536, 2, b""), "[1].slot"),
            (value(1, 2, b""), "[1].slot"),
            (value(2, 1, b""), "[1].salt"),
            (value(2, 0, b""), "[1].salt"),
            (wire::Value { slot: 2, salt: vec![1; 15], bytes: vec![] }, "[1].salt"),
            (value(2, 2, &[0xc3]), "[1].bytes"),
            (value(5, 2, b"50 000 kr"), "[1].bytes"),
            (value(11, 2, &[0; 31]), "[1].bytes"),
        ];
        for (bad, path) in cases {
            let error = decode_values(&[good.clone(), bad.clone()]).unwrap_err();
            assert_eq!(error.path, path, "{bad:?}");
        }
    }

    #[test]
    fn a_cost_has_one_spelling() {
        for cost in [
            "5000000 SEK\n50 000 kr",
            "0 SEK\n0",
            "9223372036854775807 EUR\n",
            "?\nenligt avtal",
            "?\n",
            "1 SEK\n\n",
        ] {
            assert_eq!(check_value_bytes(Slot::COST, cost.as_bytes()), Ok(()), "{cost:?}");
        }
        let wrong = [
            "",
            "?",
            "? \n",
            "50 SEK",
            "050 SEK\n",
            "-50 SEK\n",
            "+5 SEK\n",
            "5 sek\n",
            "5 SEKK\n",
            "5  SEK\n",
            "5\n",
            " SEK\n",
            "9223372036854775808 SEK\n",
            "00 SEK\n",
            "5 SEK \n",
            "5.0 SEK\n",
        ];
        for cost in wrong {
            assert!(check_value_bytes(Slot::COST, cost.as_bytes()).is_err(), "{cost:?}");
        }
    }
}
