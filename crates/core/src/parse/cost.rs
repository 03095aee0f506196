//! Costs: which amount a text states, the bytes a cost travels as, and how it is shown.
//!
//! A text is either understood, or it is words (`enligt avtal`) and is kept without an amount, or it looks like
//! a number and is malformed. Only the last is an error: guessing at `12,5,0` would put a wrong sum on a decision.

use super::nfc_eq;

/// A sum of money in hundredths of its currency. Never negative in a cost that this module read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Hundredths: öre for `SEK`.
    pub ore: i64,
    /// Three letters A–Z.
    pub currency: String,
}

/// A cost as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// What it comes to; none when the text does not say.
    pub amount: Option<Amount>,
    /// The text that the amount was read from, byte for byte.
    pub raw: String,
}

/// A text that looks like an amount and is not one that can be read in just one way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// Digits grouped otherwise than in threes.
    #[error("{text:?} does not group its digits in threes; write \"{suggestion}\"")]
    Grouping {
        /// What was written.
        text: String,
        /// The same digits, grouped.
        suggestion: String,
    },
    /// More than one comma or point.
    #[error(
        "{text:?} has more than one decimal sign; write \"12,50\", or \"1 000 000\" with spaces between thousands"
    )]
    DecimalSigns {
        /// What was written.
        text: String,
    },
    /// More than two decimals of a krona.
    #[error(
        "{text:?} has more than two decimals; write \"1 000\" for a thousand, \"12,50\" for kronor and öre"
    )]
    Decimals {
        /// What was written.
        text: String,
    },
    /// Thousands or millions with so many decimals that öre would be split.
    #[error("{text:?} does not come to whole öre; write the amount in kronor")]
    SplitsOre {
        /// What was written.
        text: String,
    },
    /// No digit on one side of the decimal sign.
    #[error("{text:?} lacks digits around its decimal sign; write \"0,50\" or \"12\"")]
    MissingDigits {
        /// What was written.
        text: String,
    },
    /// A plus or minus sign.
    #[error("{text:?} has a sign; a cost is written without, like \"5 000\"")]
    Signed {
        /// What was written.
        text: String,
    },
    /// More than can be counted.
    #[error("{text:?} is too large; the largest cost is 92 233 720 368 547 758,07 kr")]
    TooLarge {
        /// What was written.
        text: String,
    },
}

/// Bytes that are not a cost as `docs/format.md` ("Cost") says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a cost: {why}")]
pub struct CostBytesError {
    /// What is wrong with them.
    pub why: &'static str,
}

const CURRENCY: &str = "SEK";

/// Units at the end of a text with the power of ten that makes öre of one. Longer before shorter.
const UNITS: &[(&str, usize)] = &[
    ("miljoner kronor", 8),
    ("miljoner kr", 8),
    ("miljoner", 8),
    ("miljon", 8),
    ("milj kr", 8),
    ("mnkr", 8),
    ("msek", 8),
    ("mkr", 8),
    ("tusen kronor", 5),
    ("tusen kr", 5),
    ("tusen", 5),
    ("ksek", 5),
    ("tsek", 5),
    ("tkr", 5),
    ("kronor", 2),
    ("sek", 2),
    ("kr.", 2),
    ("kr", 2),
    (":-", 2),
    (",-", 2),
];

/// Öre of a krona, as a power of ten.
const KRONA: usize = 2;

/// Reads what a text says it costs. Empty and wordy texts have no amount and are no error.
pub fn parse_cost(raw: &str) -> Result<Cost, CostError> {
    let text = raw.trim();
    let bare = text.strip_prefix("SEK ").or_else(|| text.strip_prefix("kr ")).unwrap_or(text);
    let (number, power) = without_unit(bare.trim_start());
    let amount = if looks_like_number(number) {
        let ore = ore_of(number, power, raw.trim())?;
        Some(Amount { ore, currency: CURRENCY.to_owned() })
    } else {
        None
    };
    Ok(Cost { amount, raw: raw.to_owned() })
}

/// Takes the unit off the end; without one, the number is kronor.
fn without_unit(text: &str) -> (&str, usize) {
    let lower = text.to_ascii_lowercase();
    for (unit, power) in UNITS {
        if lower.ends_with(unit) {
            // ASCII lower case leaves every byte's place alone, so the split falls between characters.
            let (number, _) = text.split_at(text.len() - unit.len());
            return (number.trim_end(), *power);
        }
    }
    (text, KRONA)
}

const fn groups_digits(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}')
}

const fn is_sign(c: char) -> bool {
    matches!(c, '-' | '+' | '\u{2212}' | '\u{2013}')
}

const fn is_decimal_sign(c: char) -> bool {
    matches!(c, ',' | '.')
}

/// Digits with group spaces and decimal signs, perhaps behind a sign. `100-200` is words: a range, not a sum.
fn looks_like_number(text: &str) -> bool {
    let unsigned = text.trim_start_matches(is_sign);
    unsigned.chars().any(|c| c.is_ascii_digit())
        && unsigned.chars().all(|c| c.is_ascii_digit() || groups_digits(c) || is_decimal_sign(c))
}

fn ore_of(number: &str, power: usize, written: &str) -> Result<i64, CostError> {
    let text = || written.to_owned();
    if number.starts_with(is_sign) {
        return Err(CostError::Signed { text: text() });
    }
    let mut halves = number.split(is_decimal_sign);
    let whole = halves.next().unwrap_or_default();
    let decimals = halves.next();
    if halves.next().is_some() {
        return Err(CostError::DecimalSigns { text: text() });
    }
    if whole.is_empty() || decimals.is_some_and(str::is_empty) {
        return Err(CostError::MissingDigits { text: text() });
    }
    let decimals = decimals.unwrap_or_default();
    if !grouped_in_threes(whole) || decimals.contains(groups_digits) {
        return Err(CostError::Grouping { text: text(), suggestion: regrouped(whole, decimals) });
    }
    if power == KRONA && decimals.len() > KRONA {
        return Err(CostError::Decimals { text: text() });
    }
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > power {
        return Err(CostError::SplitsOre { text: text() });
    }
    counted(whole, decimals, power).ok_or_else(|| CostError::TooLarge { text: text() })
}

fn grouped_in_threes(whole: &str) -> bool {
    let mut groups = whole.split(groups_digits);
    let first = groups.next().map_or(0, str::len);
    let mut single = true;
    for group in groups {
        single = false;
        if group.len() != 3 {
            return false;
        }
    }
    single || (1..=3).contains(&first)
}

fn regrouped(whole: &str, decimals: &str) -> String {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let mut out = thousands(&digits(whole), ' ');
    let decimals = digits(decimals);
    if !decimals.is_empty() {
        out.push(',');
        out.push_str(&decimals);
    }
    out
}

/// `whole` and `decimals` times ten to the `power`; none when it does not fit.
fn counted(whole: &str, decimals: &str, power: usize) -> Option<i64> {
    let padding = std::iter::repeat_n('0', power.saturating_sub(decimals.len()));
    let mut ore: i64 = 0;
    for c in whole.chars().chain(decimals.chars()).chain(padding) {
        if let Some(digit) = c.to_digit(10) {
            ore = ore.checked_mul(10)?.checked_add(i64::from(digit))?;
        }
    }
    Some(ore)
}

fn thousands(digits: &str, space: char) -> String {
    let mut out = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(space);
        }
        out.push(c);
    }
    out
}

/// `525 000 kr` with no-break spaces; with öre only when there are any: `12,50 kr`.
pub fn format_ore(ore: i64) -> String {
    let mut out = digits_of(ore);
    out.push_str("\u{a0}kr");
    out
}

fn digits_of(ore: i64) -> String {
    let all = ore.unsigned_abs();
    let (kronor, rest) = (all / 100, all % 100);
    let sign = if ore < 0 { "\u{2212}" } else { "" };
    let grouped = thousands(&kronor.to_string(), '\u{a0}');
    if rest == 0 { format!("{sign}{grouped}") } else { format!("{sign}{grouped},{rest:02}") }
}

/// Whether two costs are the same: by amount and currency, or by text when neither has an amount.
pub fn equal(a: &Cost, b: &Cost) -> bool {
    match (&a.amount, &b.amount) {
        (Some(a), Some(b)) => a == b,
        (None, None) => nfc_eq(&a.raw, &b.raw),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

impl Amount {
    /// The amount as a person reads it: `525 000 kr`, or `525 000 EUR`.
    pub fn display(&self) -> String {
        if self.currency == CURRENCY {
            format_ore(self.ore)
        } else {
            format!("{}\u{a0}{}", digits_of(self.ore), self.currency)
        }
    }
}

impl Cost {
    /// What to show: the text as written while it still reads as the amount, the amount otherwise.
    pub fn display(&self) -> String {
        let Some(amount) = &self.amount else { return self.raw.clone() };
        match parse_cost(&self.raw) {
            Ok(read) if read.amount.as_ref() == Some(amount) => self.raw.clone(),
            Ok(_) | Err(_) => amount.display(),
        }
    }

    /// The bytes that are kept and compared (`docs/format.md`, "Cost").
    pub fn to_value_bytes(&self) -> Vec<u8> {
        let text = match &self.amount {
            Some(Amount { ore, currency }) => format!("{ore} {currency}\n{}", self.raw),
            None => format!("?\n{}", self.raw),
        };
        text.into_bytes()
    }

    /// Reads what [`Cost::to_value_bytes`] wrote; anything else is an error.
    pub fn from_value_bytes(bytes: &[u8]) -> Result<Self, CostBytesError> {
        let wrong = |why| CostBytesError { why };
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("not UTF-8"))?;
        let (head, raw) = text.split_once('\n').ok_or(wrong("no line feed after the amount"))?;
        let amount = if head == "?" { None } else { Some(amount_from(head).map_err(wrong)?) };
        Ok(Self { amount, raw: raw.to_owned() })
    }
}

fn amount_from(head: &str) -> Result<Amount, &'static str> {
    let (digits, currency) = head.split_once(' ').ok_or("no space between amount and currency")?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("the amount is not decimal digits");
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return Err("the amount has leading zeros");
    }
    let ore = digits.parse().map_err(|_| "the amount is too large")?;
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err("the currency is not three letters A-Z");
    }
    Ok(Amount { ore, currency: currency.to_owned() })
}

#[cfg(test)]
mod tests;
