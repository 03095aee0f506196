//! Whose something is: which parties an organisation is in the programme, and what they are responsible for or lead.

use std::collections::BTreeSet;

use radslag_core::id::{EntityId, OrgId};
use radslag_core::parse::nfc;
use radslag_core::state::EntityKind;
use radslag_core::view::{ActivityView, CostSum, ProgramView};

use crate::error::CliError;
use crate::names;
use crate::shape::Ground;

/// The parties that an organisation is: the one it was admitted as, or the one whose name its short name is made of, or the one that
/// is named; and everybody who belongs to that.
pub fn parties(
    ground: &Ground<'_>,
    program: &ProgramView,
    org: &str,
) -> Result<BTreeSet<EntityId>, CliError> {
    let admitted = org.parse::<OrgId>().ok().and_then(|id| ground.state.organisations().get(&id)?.party);
    let by_slug = || program.parties.iter().find(|party| slug(&party.name) == org).map(|party| party.id);
    let party = match admitted.or_else(by_slug) {
        Some(party) => party,
        None => names::entity(ground.state, ground.values, ground.day, &[EntityKind::Party], org)?,
    };
    let members = program.parties.iter().filter(|one| one.organisation == Some(party));
    Ok(members.map(|one| one.id).chain([party]).collect())
}

/// A name as the short name of an organisation: `Nynäshamn` is `nynashamn`.
fn slug(name: &str) -> String {
    let letter = |letter: char| match letter {
        'å' | 'ä' | 'à' => 'a',
        'ö' => 'o',
        'é' | 'è' => 'e',
        'ü' => 'u',
        ' ' | '/' => '-',
        other => other,
    };
    nfc(name).to_lowercase().chars().map(letter).collect()
}

/// The programme with nothing but what these parties are responsible for or lead.
pub fn only(program: ProgramView, parties: &BTreeSet<EntityId>) -> ProgramView {
    keeping(program, |activity| {
        activity.responsible.iter().chain(&activity.lead).any(|party| parties.contains(party))
    })
}

/// The programme with nothing but the activities that nobody in it is responsible for or leads: nobody at all, or only parties that
/// have left it.
pub fn unowned(program: ProgramView) -> ProgramView {
    let there: BTreeSet<EntityId> = program.parties.iter().map(|party| party.id).collect();
    keeping(program, |activity| {
        !activity.responsible.iter().chain(&activity.lead).any(|party| there.contains(party))
    })
}

/// The programme with nothing but these activities, and what they stand in.
pub fn keeping(mut program: ProgramView, keeps: impl Fn(&ActivityView) -> bool) -> ProgramView {
    for area in &mut program.areas {
        for subgoal in &mut area.subgoals {
            subgoal.activities.retain(&keeps);
        }
        area.subgoals.retain(|subgoal| !subgoal.activities.is_empty());
    }
    program.areas.retain(|area| !area.subgoals.is_empty());
    program.cost = CostSum::of(program.activities().map(|(.., activity)| activity));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_the_short_name_that_an_organisation_would_take() {
        let short = [
            ("Nynäshamn", "nynashamn"),
            ("Södertälje", "sodertalje"),
            ("Tyreso\u{308}", "tyreso"),
            ("Kdir/KSO", "kdir-kso"),
        ];
        for (name, short) in short {
            assert_eq!(slug(name), short);
        }
    }
}
