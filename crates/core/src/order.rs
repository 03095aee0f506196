//! Places among siblings: fractional keys, so that a move never touches a sibling.

const BASE: u32 = 36;
/// The most bytes a key may have.
pub const MAX_KEY: usize = 200;

fn digit(byte: u8) -> Option<u32> {
    (byte as char).to_digit(BASE)
}

fn byte(digit: u32) -> u8 {
    let letter = char::from_digit(digit, BASE).expect("a digit below 36 has a letter");
    u8::try_from(letter).expect("and the letter is ASCII")
}

/// Whether `key` is 1 to 200 of `0`–`9`, `a`–`z` and does not end in `0`.
pub fn is_key(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
        && !key.ends_with('0')
}

/// A key between two neighbours, either of which may be absent. None when they are equal or in the wrong order, or when
/// the key would be too long; then the caller picks other neighbours.
pub fn between(before: Option<&str>, after: Option<&str>) -> Option<String> {
    if let (Some(before), Some(after)) = (before, after)
        && before >= after
    {
        return None;
    }
    let low = before.unwrap_or("").as_bytes();
    let high = after.map(str::as_bytes);
    let mut key = Vec::new();
    let mut bounded = true;
    for at in 0..=MAX_KEY {
        let floor = low.get(at).copied().and_then(digit).unwrap_or(0);
        let ceiling = match high {
            Some(high) if bounded => high.get(at).copied().and_then(digit).unwrap_or(0),
            _ => BASE,
        };
        if ceiling > floor + 1 {
            key.push(byte(floor.midpoint(ceiling)));
            break;
        }
        key.push(byte(floor));
        bounded = bounded && floor == ceiling;
    }
    let key = String::from_utf8(key).ok()?;
    is_key(&key).then_some(key)
}

/// Keys for `count` siblings in order, of equal length and with room before, between and after.
pub fn spread(count: usize) -> Vec<String> {
    let mut width = 2;
    let mut space = (BASE as usize).pow(2);
    while space / 4 < count + 1 {
        width += 1;
        space *= BASE as usize;
    }
    let step = space / (count + 1);
    let key = |index: usize| {
        let mut number = step * (index + 1);
        if number.is_multiple_of(BASE as usize) {
            number += 1;
        }
        let mut digits = vec![b'0'; width];
        for place in digits.iter_mut().rev() {
            *place = byte(u32::try_from(number % BASE as usize).expect("a remainder below 36"));
            number /= BASE as usize;
        }
        String::from_utf8(digits).expect("digits are ASCII")
    };
    (0..count).map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spread_keys_are_in_order_and_leave_room() {
        for count in [0, 1, 2, 31, 300, 3000] {
            let keys = spread(count);
            assert!(keys.iter().all(|key| is_key(key)), "{count}");
            assert!(
                keys.windows(2)
                    .all(|pair| pair[0] < pair[1] && between(Some(&pair[0]), Some(&pair[1])).is_some())
            );
        }
    }

    proptest! {
        #[test]
        fn a_key_between_two_is_between_them(moves in prop::collection::vec(any::<prop::sample::Index>(), 1..150)) {
            let mut keys = vec![between(None, None).unwrap()];
            for at in moves {
                let at = at.index(keys.len() + 1);
                let before = at.checked_sub(1).map(|i| keys[i].clone());
                let after = keys.get(at).cloned();
                let key = between(before.as_deref(), after.as_deref()).unwrap();
                prop_assert!(before.is_none_or(|before| before < key));
                prop_assert!(after.is_none_or(|after| key < after));
                keys.insert(at, key);
            }
        }

        #[test]
        fn any_two_texts_give_a_key_between_or_none(a in "[0-9a-z]{1,6}", b in "[0-9a-z]{1,6}") {
            if is_key(&a) && is_key(&b) && a < b {
                let key = between(Some(&a), Some(&b)).unwrap();
                prop_assert!(a < key && key < b && is_key(&key));
            }
        }
    }
}
