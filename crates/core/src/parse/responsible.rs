//! Who is responsible, as people write it: `Haninge och Nykvarn`, `Kdir/KSO`, `Anna Be/Håkan Haninge`.
//!
//! Names are cut out of the text at whole tokens and kept as they stand; nothing is matched by likeness, because
//! `Södertälje` and `Södertörn` share six letters. The kind of a party and the organisation of a person are
//! proposals: a table does not say whose Anna it is, so a person confirms or corrects them.

use super::{folded, nfc, nfc_eq};
use crate::event::PartyKind;

/// The eight municipalities.
pub const MUNICIPALITIES: [&str; 8] =
    ["Botkyrka", "Haninge", "Huddinge", "Nykvarn", "Nynäshamn", "Salem", "Södertälje", "Tyresö"];

/// What they are called together.
pub const COLLECTIVE: &str = "Södertörn";

/// A party that a text names, with what the text suggests about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedParty {
    /// The name, as written without what was read as the organisation.
    pub name: String,
    /// What sort of party the name suggests.
    pub kind: PartyKind,
    /// The municipality that a person seems to belong to.
    pub organisation: Option<String>,
}

impl NamedParty {
    fn new(name: &str, kind: PartyKind) -> Self {
        Self { name: name.to_owned(), kind, organisation: None }
    }

    fn person(name: &str, organisation: &str) -> Self {
        Self { organisation: Some(organisation.to_owned()), ..Self::new(name, PartyKind::Person) }
    }

    /// Whether two mentions are of the same party: the name in NFC, the kind, and the organisation.
    pub fn is(&self, other: &Self) -> bool {
        self.kind == other.kind && self.organisation == other.organisation && nfc_eq(&self.name, &other.name)
    }
}

/// Roles that are written as abbreviations; several with `/` between them are one group.
const ROLES: &[&str] = &["kdir", "kso", "ks", "kd"];

/// Beginnings of a project's name.
const PROJECT_WORDS: &[&str] = &["projekt", "projektet", "förstudie", "förstudien"];

/// Beginnings of a network's name.
const NETWORK_WORDS: &[&str] = &["nätverk", "nätverket", "etablering"];

/// Words that make a name an organisation's rather than a person's.
const ORGANISATION_WORDS: &[&str] = &[
    "ab",
    "region",
    "kommun",
    "kommunen",
    "kommuner",
    "län",
    "länsstyrelsen",
    "stockholm",
    "stockholms",
    "förbund",
];

/// Ends of a word that name people by what they do.
const ROLE_ENDINGS: &[&str] = &[
    "direktörer",
    "direktörerna",
    "chefer",
    "cheferna",
    "samordnare",
    "samordnarna",
    "strateger",
    "strategerna",
    "handläggare",
    "handläggarna",
    "ordförande",
    "ordförandena",
    "gruppen",
];

/// Ends of a word that name a part of an administration.
const ORGANISATION_ENDINGS: &[&str] = &[
    "kontoret",
    "nämnden",
    "förvaltningen",
    "styrelsen",
    "avdelningen",
    "enheten",
    "verket",
    "bolaget",
    "rådet",
    "kansliet",
];

/// The parties that a text names, in its order, each once.
pub fn parse_responsible(raw: &str) -> Vec<NamedParty> {
    parties_in(raw, Cuts::All)
}

/// What separates parties.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cuts {
    /// Commas and `och`, as the first version of this parser had it.
    First,
    /// Semicolons, lines of a cell with or without a bullet, `samt` and `&` too.
    All,
}

fn parties_in(raw: &str, cuts: Cuts) -> Vec<NamedParty> {
    let mut parties: Vec<NamedParty> = Vec::new();
    for piece in pieces(raw, cuts) {
        for party in parties_of(&piece) {
            if !parties.iter().any(|known| known.is(&party)) {
                parties.push(party);
            }
        }
    }
    parties
}

/// `A, B och C`.
pub fn render_responsible<S: AsRef<str>>(names: &[S]) -> String {
    let mut out = String::new();
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.push_str(if at + 1 == names.len() { " och " } else { ", " });
        }
        out.push_str(name.as_ref());
    }
    out
}

/// Whether a text names exactly these parties, in any order. While it does, it is shown; then
/// [`render_responsible`] takes over. It may name them as an earlier version read it: what was shown then is shown still.
pub fn names_exactly<S: AsRef<str>>(raw: &str, names: &[S]) -> bool {
    let mut wanted: Vec<String> = names.iter().map(|name| nfc(name.as_ref())).collect();
    wanted.sort();
    [Cuts::All, Cuts::First].into_iter().any(|cuts| {
        let mut written: Vec<String> = parties_in(raw, cuts).iter().map(|party| nfc(&party.name)).collect();
        written.sort();
        written == wanted
    })
}

/// Cuts at commas and at the word `och`, but not inside `Ekonomi- och personalcheferna`.
fn pieces(raw: &str, cuts: Cuts) -> Vec<String> {
    let all = cuts == Cuts::All;
    let cut = |c: char| c == ',' || (all && matches!(c, ';' | '\n' | '\r' | '\u{2022}' | '\u{b7}'));
    let joins = |word: &str| word == "och" || (all && matches!(word, "samt" | "&"));
    let mut pieces: Vec<String> = Vec::new();
    for part in raw.split(cut) {
        let part =
            if all { part.trim_start().trim_start_matches("- ").trim_start_matches("* ") } else { part };
        let continues = pieces.last_mut().filter(|piece| piece.ends_with('-'));
        let mut rest = match continues {
            Some(piece) => {
                let start = format!("{piece}, ");
                pieces.pop();
                start
            }
            None => String::new(),
        };
        for word in part.split_whitespace() {
            if joins(&folded(word)) && !rest.ends_with('-') {
                pieces.push(std::mem::take(&mut rest));
                continue;
            }
            if !rest.is_empty() && !rest.ends_with(' ') {
                rest.push(' ');
            }
            rest.push_str(word);
        }
        pieces.push(rest);
    }
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

/// Mostly one party; several where a slash stands between people or municipalities.
fn parties_of(piece: &str) -> Vec<NamedParty> {
    let parts: Vec<&str> = piece.split('/').map(str::trim).filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [] => Vec::new(),
        [single] => vec![party(single)],
        [..] if parts.iter().all(|part| is_place(part) || is_full_name(part)) => {
            parts.iter().map(|part| party(part)).collect()
        }
        [others @ .., last] => match person_of_municipality(last) {
            Some(person) if others.iter().all(|part| is_person_name(part)) => {
                sharing_organisation(others, person)
            }
            Some(_) | None => vec![slashed(piece, &parts)],
        },
    }
}

/// `Anna Be/Håkan Haninge`: the municipality at the end is proposed for all of them.
fn sharing_organisation(others: &[&str], last: NamedParty) -> Vec<NamedParty> {
    let mut people: Vec<NamedParty> = Vec::new();
    for part in others {
        people.push(
            person_of_municipality(part)
                .unwrap_or_else(|| NamedParty { name: (*part).to_owned(), ..last.clone() }),
        );
    }
    people.push(last);
    people
}

/// A slash that does not separate: `Kdir/KSO` is one group.
fn slashed(piece: &str, parts: &[&str]) -> NamedParty {
    let roles = parts.iter().all(|part| kind_of(part) == PartyKind::RoleGroup);
    let kind = if roles { PartyKind::RoleGroup } else { PartyKind::Organisation };
    NamedParty::new(piece.trim(), kind)
}

fn party(name: &str) -> NamedParty {
    if let Some(person) = person_of_municipality(name) {
        return person;
    }
    match municipality(name) {
        Some(known) => NamedParty::new(known, PartyKind::Municipality),
        None if folded(name) == folded(COLLECTIVE) => NamedParty::new(COLLECTIVE, PartyKind::Collective),
        None => NamedParty::new(name, kind_of(name)),
    }
}

/// The municipality with this name, as it is spelled.
fn municipality(name: &str) -> Option<&'static str> {
    let wanted = folded(name);
    MUNICIPALITIES.into_iter().find(|known| folded(known) == wanted)
}

fn is_place(name: &str) -> bool {
    municipality(name).is_some() || folded(name) == folded(COLLECTIVE)
}

/// `Lena Södertälje`: a person's name and then a municipality.
fn person_of_municipality(text: &str) -> Option<NamedParty> {
    let (name, place) = text.rsplit_once(char::is_whitespace)?;
    let organisation = municipality(place)?;
    is_person_name(name.trim()).then(|| NamedParty::person(name.trim(), organisation))
}

fn kind_of(name: &str) -> PartyKind {
    let text = folded(name);
    let words: Vec<&str> = text.split(' ').collect();
    let (first, last) =
        (words.first().copied().unwrap_or_default(), words.last().copied().unwrap_or_default());
    if PROJECT_WORDS.contains(&first) {
        PartyKind::Project
    } else if NETWORK_WORDS.contains(&first)
        || last.ends_with("nätverket")
        || (words.len() > 1 && last == folded(COLLECTIVE))
    {
        PartyKind::Network
    } else if ROLES.contains(&first) || ROLE_ENDINGS.iter().any(|end| last.ends_with(end)) {
        PartyKind::RoleGroup
    } else if matches!(words.as_slice(), [place, "kommun"] if municipality(place.trim_end_matches('s')).is_some())
    {
        PartyKind::Municipality
    } else if is_full_name(name) {
        PartyKind::Person
    } else {
        PartyKind::Organisation
    }
}

/// Two or three words that could be a person's first and last name.
fn is_full_name(name: &str) -> bool {
    name.split_whitespace().count() >= 2 && !name.split_whitespace().any(is_place) && is_person_name(name)
}

/// One to three capitalised words, none of them a role or part of an organisation's name.
fn is_person_name(name: &str) -> bool {
    let words: Vec<&str> = name.split_whitespace().collect();
    (1..=3).contains(&words.len()) && words.iter().all(|word| is_name_word(word))
}

fn is_name_word(word: &str) -> bool {
    let mut letters = word.chars();
    let capital = letters.next().is_some_and(char::is_uppercase);
    let rest_small =
        word.split('-').all(|half| half.chars().skip(1).all(|c| c.is_lowercase() || c == '.' || is_mark(c)));
    let text = folded(word);
    let other = [ROLES, PROJECT_WORDS, NETWORK_WORDS, ORGANISATION_WORDS]
        .iter()
        .any(|list| list.contains(&text.as_str()));
    let ends =
        [ROLE_ENDINGS, ORGANISATION_ENDINGS].iter().any(|list| list.iter().any(|end| text.ends_with(end)));
    capital && rest_small && !word.ends_with('-') && !other && !ends
}

/// Ring and dots of decomposed å, ä and ö.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

#[cfg(test)]
mod tests;
