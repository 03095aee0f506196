//! What the texts in a programme mean: costs, times and responsible parties.
//!
//! The log keeps what people typed; meaning is derived here, when somebody looks. Nothing of it is stored or
//! hashed except a cost's amount, which is settled when the cost is typed. So these parsers may learn: raise
//! [`VERSION`] with every change of what they answer, and keep what they answered for the texts in the tests.

pub mod cost;
pub mod responsible;
pub mod time;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::class::same_text;

/// The parsers' version. A view names it, so that two views can tell whether they read texts the same way.
pub const VERSION: u16 = 2;

/// The text in Unicode NFC, in which texts are compared.
pub fn nfc(text: &str) -> String {
    if is_nfc(text) { text.to_owned() } else { text.nfc().collect() }
}

/// Whether two texts are the same in NFC. Spaces and letter case count.
pub fn nfc_eq(a: &str, b: &str) -> bool {
    same_text(a, b)
}

/// NFC, lower case, no space at the ends and single spaces within: the form in which words are looked up.
pub fn folded(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(|word| nfc(&word.to_lowercase())).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_decomposed_letters_are_the_same_text() {
        assert!(nfc_eq("Tyreso\u{308}", "Tyresö"));
        assert_eq!(nfc("Tyreso\u{308}"), "Tyresö");
        assert!(!nfc_eq("Södertälje", "Södertörn"));
        assert!(!nfc_eq("Haninge", "haninge"));
        assert!(!nfc_eq("Haninge", "Haninge "));
    }

    #[test]
    fn words_are_looked_up_without_case_and_extra_space() {
        assert_eq!(folded("  VID \u{a0} Behov "), "vid behov");
        assert_eq!(folded("VA\u{30a}REN"), "våren");
    }
}
