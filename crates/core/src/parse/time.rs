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
    /// In a half of the year, 1 or 2: `första halvåret`, `H2`.
    Half(u8),
    /// Again and again: `årligen`, `varje månad`.
    Recurring,
    /// In a year.
    Year(i16),
    /// In that part of a year that is stated: `våren 2019`, `Q3 2020`, `v. 12 2019`.
    Within(Box<Timing>, i16),
    /// From one to the other, both included: `v. 12–14`, `april–juni`, `2019-2021`.
    Span(Box<Timing>, Box<Timing>),
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
    let text = text.trim_end_matches('.');
    one(text).or_else(|| span(text)).or_else(|| of_year(text)).unwrap_or(Timing::Unknown)
}

/// Anything but a span and a part of a stated year.
fn one(text: &str) -> Option<Timing> {
    word(text)
        .or_else(|| numbered(text))
        .or_else(|| date(text))
        .or_else(|| day_of_month(text))
        .or_else(|| months(text))
        .or_else(|| year(text).map(Timing::Year))
}

/// Four digits of this or the next century, or of the last one.
fn year(text: &str) -> Option<i16> {
    let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|year| digits && (1900..=2199).contains(year))
}

/// `våren 2019`, `Q1-2020`, `vt19`, `v. 12, 2019`, `våren -19`.
fn of_year(text: &str) -> Option<Timing> {
    let part = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &text[part.len()..];
    // Two digits are a year only where nothing else could be meant.
    let terse = part.trim_end().ends_with(['-', '\u{2013}', '\'', '\u{2019}'])
        || ["vt", "ht"].contains(&part.trim_end());
    let stated = match digits.len() {
        4 => year(digits)?,
        2 if terse => year(&format!("20{digits}"))?,
        _ => return None,
    };
    let part = part.trim_end_matches([' ', ',', '-', '\u{2013}', '\'', '\u{2019}', '/']);
    let part = part.strip_suffix(" år").unwrap_or(part);
    let within = one(part).or_else(|| span(part))?;
    let dated = |timing: &Timing| {
        matches!(
            timing,
            Timing::Ongoing
                | Timing::OnDemand
                | Timing::Recurring
                | Timing::Year(_)
                | Timing::Date(_)
                | Timing::DayOfMonth { .. }
                | Timing::Within(..)
        )
    };
    let fits = match &within {
        Timing::Span(from, _) => !dated(from),
        single => !dated(single),
    };
    fits.then(|| Timing::Within(Box::new(within), stated))
}

/// `v. 12-14`, `april – juni`, `2019–2021`, `från mars till maj`, `Q1-Q2`.
fn span(text: &str) -> Option<Timing> {
    let text = text.strip_prefix("från ").unwrap_or(text);
    let cuts = ["\u{2013}", "\u{2014}", " till ", "-"];
    let (from, to) = cuts.iter().find_map(|cut| text.split_once(cut))?;
    let (from, to) = (from.trim(), to.trim());
    let first = one(from)?;
    // `v. 12-14` says what is counted once.
    let shared = match &first {
        Timing::Week(_) => format!("v {to}"),
        Timing::Quarter(_) => format!("q{to}"),
        _ => to.to_owned(),
    };
    let last = one(to).filter(|last| same_sort(&first, last)).or_else(|| one(&shared))?;
    same_sort(&first, &last).then(|| Timing::Span(Box::new(first), Box::new(last)))
}

fn same_sort(one: &Timing, other: &Timing) -> bool {
    let single = |timing: &Timing| !matches!(timing, Timing::Months(months) if months.len() != 1);
    let counted = matches!(
        one,
        Timing::Season(_)
            | Timing::Months(_)
            | Timing::DayOfMonth { .. }
            | Timing::Week(_)
            | Timing::Quarter(_)
            | Timing::Half(_)
            | Timing::Year(_)
            | Timing::Date(_)
    );
    counted && std::mem::discriminant(one) == std::mem::discriminant(other) && single(one) && single(other)
}

fn word(text: &str) -> Option<Timing> {
    Some(match text {
        "löpande" | "fortlöpande" | "kontinuerligt" | "pågår" | "pågående" | "tills vidare" | "hela året"
        | "året runt" | "hela perioden" | "ongoing" => Timing::Ongoing,
        "vid behov" | "efter behov" | "on demand" => Timing::OnDemand,
        "årligen" | "varje år" | "en gång per år" | "1 gång/år" | "vartannat år" | "varje månad"
        | "månadsvis" | "månatligen" | "varje kvartal" | "kvartalsvis" | "varje vecka" | "veckovis"
        | "halvårsvis" | "varje termin" | "yearly" | "annually" | "monthly" => Timing::Recurring,
        "första halvåret" | "1:a halvåret" | "halvår 1" | "h1" => Timing::Half(1),
        "andra halvåret" | "2:a halvåret" | "halvår 2" | "h2" => Timing::Half(2),
        "första kvartalet" | "1:a kvartalet" => Timing::Quarter(1),
        "andra kvartalet" | "2:a kvartalet" => Timing::Quarter(2),
        "tredje kvartalet" | "3:e kvartalet" => Timing::Quarter(3),
        "fjärde kvartalet" | "4:e kvartalet" => Timing::Quarter(4),
        "vår" | "våren" | "vt" | "vårterminen" | "under våren" => Timing::Season(Season::Spring),
        "sommar" | "sommaren" | "under sommaren" => Timing::Season(Season::Summer),
        "höst" | "hösten" | "ht" | "höstterminen" | "under hösten" => Timing::Season(Season::Autumn),
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
    let quarter = after(&["kvartal", "kv.", "kv", "q"])?;
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
    fn the_ways_of_other_municipalities_are_understood() {
        let within = |timing, year| Timing::Within(Box::new(timing), year);
        let span = |from, to| Timing::Span(Box::new(from), Box::new(to));
        let (april, june) = (Timing::Months(vec![4]), Timing::Months(vec![6]));
        for (raw, timing) in [
            ("Kontinuerligt", Timing::Ongoing),
            ("Pågår.", Timing::Ongoing),
            ("Hela året", Timing::Ongoing),
            ("Årligen", Timing::Recurring),
            ("vartannat  år", Timing::Recurring),
            ("Första halvåret", Timing::Half(1)),
            ("H2 2019", within(Timing::Half(2), 2019)),
            ("Tredje kvartalet", Timing::Quarter(3)),
            ("Kv 1", Timing::Quarter(1)),
            ("Q3 2020", within(Timing::Quarter(3), 2020)),
            ("2019", Timing::Year(2019)),
            ("våren 2019", within(Timing::Season(Season::Spring), 2019)),
            ("Hösten -19", within(Timing::Season(Season::Autumn), 2019)),
            ("VT19", within(Timing::Season(Season::Spring), 2019)),
            ("ht 2020", within(Timing::Season(Season::Autumn), 2020)),
            ("april 2019", within(Timing::Months(vec![4]), 2019)),
            ("April, juni 2019", within(Timing::Months(vec![4, 6]), 2019)),
            ("v. 12 2019", within(Timing::Week(12), 2019)),
            ("v. 12-14", span(Timing::Week(12), Timing::Week(14))),
            ("vecka 12–v. 14", span(Timing::Week(12), Timing::Week(14))),
            ("april–juni", span(april.clone(), june.clone())),
            ("april - juni 2019", within(span(april.clone(), june.clone()), 2019)),
            ("från april till juni", span(april, june)),
            ("2019-2021", span(Timing::Year(2019), Timing::Year(2021))),
            ("Q1-Q2", span(Timing::Quarter(1), Timing::Quarter(2))),
            ("kvartal 1-2 2019", within(span(Timing::Quarter(1), Timing::Quarter(2)), 2019)),
            (
                "våren - hösten 2020",
                within(span(Timing::Season(Season::Spring), Timing::Season(Season::Autumn)), 2020),
            ),
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
            "våren, kanske",
            "våren 19",
            "2019-2018-2020",
            "maj-v. 12",
            "april, juni-juli",
            "1850",
            "löpande 2019",
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
        fn texts_near_times_are_answered(raw in "(v|q|vt|[0-9]{0,3}|-|–|’| |jan|feb|å|\\.|,|och|till|2019|19){0,8}") {
            parse_time(&raw);
        }
    }
}
