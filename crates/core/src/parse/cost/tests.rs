//! What costs mean, as examples and as laws.

use proptest::prelude::*;

use super::*;

fn ore(raw: &str) -> Option<i64> {
    let cost = parse_cost(raw).unwrap_or_else(|e| panic!("{raw:?}: {e}"));
    assert_eq!(cost.raw, raw);
    cost.amount.map(|amount| {
        assert_eq!(amount.currency, "SEK");
        amount.ore
    })
}

fn error(raw: &str) -> String {
    parse_cost(raw).expect_err(raw).to_string()
}

#[test]
fn the_costs_of_the_sample_are_understood() {
    assert_eq!(ore("100 000"), Some(10_000_000));
    assert_eq!(ore("1000"), Some(100_000));
    assert_eq!(ore("120 000 kr"), Some(12_000_000));
    assert_eq!(ore("4000"), Some(400_000));
    assert_eq!(ore("200 000"), Some(20_000_000));
}

#[test]
fn every_space_that_people_type_groups_digits() {
    for space in [' ', '\u{a0}', '\u{202f}', '\u{2009}'] {
        assert_eq!(ore(&format!("1{space}234{space}567{space}kr")), Some(123_456_700));
    }
}

#[test]
fn units_are_understood_in_any_case_with_and_without_a_space() {
    for raw in [
        "50 000 kr",
        "50 000kr",
        "50 000 KR",
        "50 000 SEK",
        "50 000 sek",
        "50 000:-",
        "50 tkr",
        "50 Tkr",
        " 0,05 MNKR ",
    ] {
        assert_eq!(ore(raw), Some(5_000_000), "{raw}");
    }
}

#[test]
fn the_units_of_other_municipalities_are_understood() {
    for (raw, kronor) in [
        ("5 mkr", 5_000_000),
        ("5 MSEK", 5_000_000),
        ("1,5 miljoner kronor", 1_500_000),
        ("2 miljoner", 2_000_000),
        ("1 miljon", 1_000_000),
        ("250 KSEK", 250_000),
        ("50 tusen kr", 50_000),
        ("50 000 kronor", 50_000),
        ("50 000 Kr.", 50_000),
        ("50 000,-", 50_000),
        ("SEK 50 000", 50_000),
        ("kr 500", 500),
    ] {
        assert_eq!(ore(raw), Some(kronor * 100), "{raw}");
    }
    // What says more than an amount says none: nobody may add up what is only about, up to, or for each year.
    for raw in [
        "ca 50 000 kr",
        "50 000 kr/år",
        "max 2 mnkr",
        "10-20 tkr",
        "2 x 50 000 kr",
        "50 000 kr exkl. moms",
        "Ryms inom ram",
        "0,5 tjänst",
        "miljoner",
        "50 000 EUR",
    ] {
        assert_eq!(ore(raw), None, "{raw}");
    }
}

#[test]
fn decimals_are_written_with_comma_or_point() {
    assert_eq!(ore("12,5"), Some(1_250));
    assert_eq!(ore("12.50 kr"), Some(1_250));
    assert_eq!(ore("0,05"), Some(5));
    assert_eq!(ore("1,5 mnkr"), Some(150_000_000));
    assert_eq!(ore("1,2345 tkr"), Some(123_450));
    assert_eq!(ore("1,500000000 mnkr"), Some(150_000_000));
}

#[test]
fn words_are_kept_without_an_amount() {
    for raw in
        ["", " ", "enligt avtal", "ca 100 tkr", "100-200 tkr", "kr", "100 EUR", "2019-04-10", "50 000 kr/år"]
    {
        assert_eq!(ore(raw), None, "{raw}");
    }
}

#[test]
fn zero_is_an_amount_and_empty_is_not() {
    assert_eq!(ore("0 kr"), Some(0));
    assert_eq!(ore(""), None);
}

#[test]
fn a_malformed_number_is_an_error_that_says_how_to_write_it() {
    assert!(error("1 00 000").contains("write \"100 000\""));
    assert!(error("10 0").contains("write \"100\""));
    assert!(error("1  000").contains("write \"1 000\""));
    assert!(error("1000 000").contains("write \"1 000 000\""));
    assert!(error("1 000,5 0").contains("write \"1 000,50\""));
    assert!(error("12,5,0").contains("more than one decimal sign"));
    assert!(error("1.000.000").contains("spaces between thousands"));
    assert!(error("1.000").contains("more than two decimals"));
    assert!(error("0,000001 tkr").contains("whole öre"));
    assert!(error("-5").contains("sign"));
    assert!(error("\u{2212}5 tkr").contains("sign"));
    assert!(error("12,").contains("lacks digits"));
    assert!(error(",5").contains("lacks digits"));
}

#[test]
fn the_largest_cost_fits_and_the_next_does_not() {
    assert_eq!(ore("92 233 720 368 547 758,07"), Some(i64::MAX));
    assert!(error("92 233 720 368 547 758,08").contains("too large"));
    assert!(error("999999999999999999999999999999 mnkr").contains("too large"));
}

#[test]
fn amounts_are_shown_with_no_break_spaces() {
    assert_eq!(format_ore(52_500_000), "525\u{a0}000\u{a0}kr");
    assert_eq!(format_ore(1_250), "12,50\u{a0}kr");
    assert_eq!(format_ore(5), "0,05\u{a0}kr");
    assert_eq!(format_ore(0), "0\u{a0}kr");
    assert_eq!(format_ore(-100_000), "\u{2212}1\u{a0}000\u{a0}kr");
    assert!(format_ore(i64::MIN).ends_with("758,08\u{a0}kr"));
}

#[test]
fn the_text_is_shown_only_while_it_reads_as_the_amount() {
    let written = parse_cost("50 tkr").unwrap();
    assert_eq!(written.display(), "50 tkr");
    let differs = Cost { raw: "40 tkr".to_owned(), ..written.clone() };
    assert_eq!(differs.display(), "50\u{a0}000\u{a0}kr");
    let words = Cost { raw: "se avtal".to_owned(), ..written };
    assert_eq!(words.display(), "50\u{a0}000\u{a0}kr");
    let euro =
        Cost { amount: Some(Amount { ore: 150, currency: "EUR".to_owned() }), raw: "1,50 €".to_owned() };
    assert_eq!(euro.display(), "1,50\u{a0}EUR");
    assert_eq!(parse_cost("enligt avtal").unwrap().display(), "enligt avtal");
}

#[test]
fn costs_are_equal_by_amount_or_else_by_text() {
    let cost = |raw| parse_cost(raw).unwrap();
    assert!(equal(&cost("50 tkr"), &cost("50 000")));
    assert!(!equal(&cost("50 tkr"), &cost("50")));
    assert!(equal(&cost("enligt o\u{308}verens"), &cost("enligt överens")));
    assert!(!equal(&cost(""), &cost("0")));
    let euro = Cost {
        amount: Some(Amount { ore: 5_000_000, currency: "EUR".to_owned() }),
        raw: "50 000".to_owned(),
    };
    assert!(!equal(&euro, &cost("50 000")));
}

#[test]
fn the_bytes_are_those_of_the_format_page() {
    assert_eq!(parse_cost("50 000 kr").unwrap().to_value_bytes(), b"5000000 SEK\n50 000 kr");
    assert_eq!(parse_cost("ca 100 tkr").unwrap().to_value_bytes(), b"?\nca 100 tkr");
    for bytes in
        [&b"5000000 SEK\n50 000 kr"[..], b"?\nca 100 tkr", b"?\n", b"0 SEK\n", b"1 EUR\ntv\xc3\xa5\nrader"]
    {
        assert_eq!(Cost::from_value_bytes(bytes).unwrap().to_value_bytes(), bytes);
    }
}

#[test]
fn bytes_that_are_not_a_cost_are_refused() {
    for bytes in [
        &b""[..],
        b"?",
        b"5",
        b"5 SEK",
        b"05 SEK\n",
        b"-5 SEK\n",
        b"+5 SEK\n",
        b" 5 SEK\n",
        b"5  SEK\n",
        b"5 sek\n",
        b"5 SEKS\n",
        b"5 S\xc3\x84\n",
        b"9223372036854775808 SEK\n",
        b"? \n",
        b"1 SEK\n\xff",
    ] {
        assert!(Cost::from_value_bytes(bytes).is_err(), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_answered_and_survives_as_bytes(raw in ".*") {
        if let Ok(cost) = parse_cost(&raw) {
            prop_assert_eq!(&cost.raw, &raw);
            prop_assert_eq!(Cost::from_value_bytes(&cost.to_value_bytes()).unwrap(), cost);
        }
    }

    #[test]
    fn texts_near_numbers_are_answered(raw in "[-+0-9 ,.\u{a0}\u{2009}\u{202f}kKrtTmnseE:]{0,24}") {
        if let Ok(cost) = parse_cost(&raw) {
            prop_assert!(cost.amount.as_ref().is_none_or(|amount| amount.ore >= 0));
            prop_assert_eq!(cost.display(), raw);
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(cost) = Cost::from_value_bytes(&bytes) {
            prop_assert_eq!(cost.to_value_bytes(), bytes);
        }
    }

    #[test]
    fn what_is_shown_reads_as_the_same_amount(ore in 0..=i64::MAX) {
        let shown = format_ore(ore);
        prop_assert_eq!(parse_cost(&shown).unwrap().amount.map(|amount| amount.ore), Some(ore));
    }

    #[test]
    fn digits_are_grouped_in_threes_or_not_at_all(groups in proptest::collection::vec("[0-9]{1,4}", 1..5)) {
        let threes = groups.len() == 1 || (groups[0].len() <= 3 && groups[1..].iter().all(|g| g.len() == 3));
        prop_assert_eq!(parse_cost(&groups.join(" ")).is_ok(), threes);
    }
}
