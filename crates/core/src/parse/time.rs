//! Times as people write them in the plan: `Löpande`, `våren`, `10-apr`, `April, Juli`, `Vid behov`, `v. 12`.
//!
//! Reading is total: what is not recognised as a whole is [`Timing::Unknown`], and the text itself is what is
//! shown. Years are known only where they are written.

use crate::time::CivilDate;

/// A season of the year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Season {
    /// `våren`.
    Spring,
    /// `sommaren`.
    Summer,
    /// `hösten`.
    Autumn,
    /// `vintern`.
    Winter,
}

/// When something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timing {
    /// All the time: `Löpande`.
    Ongoing,
    /// In a season of a year that is not stated.
    Season(Season),
    /// In these months, 1 to 12, in the order in which they were written.
    Months(Vec<u8>),
    /// On a day of a year that is not stated.
    DayOfMonth {
        /// 1 to 12.
        month: u8,
        /// From 1; 29 for February.
        day: u8,
    },
    /// When somebody asks for it: `Vid behov`.
    OnDemand,
    /// In an ISO week, 1 to 53.
    Week(u8),
    /// In a quarter, 1 to 4.
    Quarter(u8),
    /// On a day.
    Date(CivilDate),
    /// Something else, or nothing.
    Unknown,
}

/// Names of months, in order; the first three letters stand for the month too.
const MONTHS: [&str; 12] = [
    "januari",
    "februari",
    "mars",
    "april",
    "maj",
    "juni",
    "juli",
    "augusti",
    "september",
    "oktober",
    "november",
    "december",
];

/// Days of each month in a year that is not known.
const DAYS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Reads a time. Letter case and extra spaces do not matter.
pub fn parse_time(raw: &str) -> Timing {
    let text = super::folded(raw);
    word(&text)
        .or_else(|| numbered(&text))
        .or_else(|| date(&text))
        .or_else(|| day_of_month(&text))
        .or_else(|| months(&text))
        .unwrap_or(Timing::Unknown)
}

fn word(text: &str) -> Option<Timing> {
    Some(match text {
        "löpande" => Timing::Ongoing,
        "vid behov" => Timing::OnDemand,
        "vår" | "våren" => Timing::Season(Season::Spring),
        "sommar" | "sommaren" => Timing::Season(Season::Summer),
        "höst" | "hösten" => Timing::Season(Season::Autumn),
        "vinter" | "vintern" => Timing::Season(Season::Winter),
        _ => return None,
    })
}

/// `v. 12`, `vecka 12`, `Q3`, `kvartal 3`.
fn numbered(text: &str) -> Option<Timing> {
    let after = |names: &[&str]| names.iter().find_map(|name| number(text.strip_prefix(name)?.trim_start()));
    if let Some(week) = after(&["vecka", "v.", "v"]) {
        return (1..=53).contains(&week).then_some(Timing::Week(week));
    }
    let quarter = after(&["kvartal", "q"])?;
    (1..=4).contains(&quarter).then_some(Timing::Quarter(quarter))
}

/// One or two digits.
fn number(text: &str) -> Option<u8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// `2019-04-10` and `10 april 2019`.
fn date(text: &str) -> Option<Timing> {
    if let Ok(date) = text.parse() {
        return Some(Timing::Date(date));
    }
    let (day, year) = text.rsplit_once(' ')?;
    let Some(Timing::DayOfMonth { month, day }) = day_of_month(day) else { return None };
    let date = format!("{year}-{month:02}-{day:02}").parse().ok()?;
    Some(Timing::Date(date))
}

/// `10-apr`, `10 april`.
fn day_of_month(text: &str) -> Option<Timing> {
    let (day, name) = text.split_once(['-', ' '])?;
    let (day, month) = (number(day)?, month(name)?);
    let last = DAYS.get(usize::from(month) - 1)?;
    (1..=*last).contains(&day).then_some(Timing::DayOfMonth { month, day })
}

/// `mars`, `April, Juli`, `april och juli`, `april/juli`; each month once.
fn months(text: &str) -> Option<Timing> {
    let mut found = Vec::new();
    for name in text.split([',', '/']).flat_map(|part| part.split(" och ")) {
        let month = month(name.trim())?;
        if !found.contains(&month) {
            found.push(month);
        }
    }
    Some(Timing::Months(found))
}

/// A month's name, or its first three letters with or without a point; `sept` too.
fn month(name: &str) -> Option<u8> {
    let short = name.strip_suffix('.').unwrap_or(name);
    let is_meant = |full: &str| {
        full == name || full.get(..3) == Some(short) || (short == "sept" && full.starts_with(short))
    };
    let index = MONTHS.iter().position(|full| is_meant(full))?;
    u8::try_from(index + 1).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_times_of_the_sample_are_understood() {
        for (raw, timing) in [
            ("Löpande", Timing::Ongoing),
            ("löpande", Timing::Ongoing),
            ("Våren", Timing::Season(Season::Spring)),
            ("Hösten", Timing::Season(Season::Autumn)),
            ("mars", Timing::Months(vec![3])),
            ("februari", Timing::Months(vec![2])),
            ("Februari", Timing::Months(vec![2])),
            ("Augusti", Timing::Months(vec![8])),
            ("Juli", Timing::Months(vec![7])),
            ("April, Juli", Timing::Months(vec![4, 7])),
            ("10-apr", Timing::DayOfMonth { month: 4, day: 10 }),
            ("25-sep", Timing::DayOfMonth { month: 9, day: 25 }),
            ("Vid behov", Timing::OnDemand),
            ("", Timing::Unknown),
        ] {
            assert_eq!(parse_time(raw), timing, "{raw}");
        }
    }

    #[test]
    fn other_ways_to_write_the_same_mean_the_same() {
        for (raw, timing) in [
            ("  VID  BEHOV ", Timing::OnDemand),
            ("va\u{30a}ren", Timing::Season(Season::Spring)),
            ("sommaren", Timing::Season(Season::Summer)),
            ("vintern", Timing::Season(Season::Winter)),
            ("april och juli", Timing::Months(vec![4, 7])),
            ("april/juli/april", Timing::Months(vec![4, 7])),
            ("sept.", Timing::Months(vec![9])),
            ("10 april", Timing::DayOfMonth { month: 4, day: 10 }),
            ("29 feb", Timing::DayOfMonth { month: 2, day: 29 }),
            ("v. 12", Timing::Week(12)),
            ("v.12", Timing::Week(12)),
            ("v12", Timing::Week(12)),
            ("Vecka 12", Timing::Week(12)),
            ("Q3", Timing::Quarter(3)),
            ("kvartal 3", Timing::Quarter(3)),
            ("2019-04-10", Timing::Date("2019-04-10".parse().unwrap())),
            ("10 april 2019", Timing::Date("2019-04-10".parse().unwrap())),
        ] {
            assert_eq!(parse_time(raw), timing, "{raw}");
        }
    }

    #[test]
    fn what_is_not_recognised_as_a_whole_is_unknown() {
        for raw in [
            "31-apr",
            "30 feb",
            "0-jan",
            "v. 54",
            "v. 0",
            "Q5",
            "v",
            "våren 2019",
            "april,",
            "april juli",
            "mar s",
            "2019-02-29",
            "29 feb 2019",
            "10 april 19",
            "kanske",
            "10/4",
            "m",
            "-",
            ",",
        ] {
            assert_eq!(parse_time(raw), Timing::Unknown, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(raw in ".*") {
            parse_time(&raw);
        }

        #[test]
        fn texts_near_times_are_answered(raw in "(v|q|[0-9]{0,3}|-| |jan|feb|å|\\.|,|och|2019){0,8}") {
            parse_time(&raw);
        }
    }
}
