//! Which column a header names, in Swedish or English, where a table is not bound to the seven names of `tsv/1`.

use std::collections::HashMap;
use std::sync::LazyLock;

use radslag_core::parse::folded;

use crate::columns::Column;

/// What a header cell names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Head {
    /// One of the seven.
    Of(Column),
    /// The main goal, where it has a column of its own.
    Goal,
    /// The entry's id.
    Id,
    /// What whoever exported the table saw.
    Base,
}

/// The names that are written, in the order of the columns: Swedish, English.
pub(crate) const WRITTEN: [(Head, &str, &str); 9] = [
    (Head::Of(Column::Area), "Område och huvudmål", "Area and main goal"),
    (Head::Of(Column::Subgoal), "Delmål", "Sub-goal"),
    (Head::Of(Column::Activity), "Aktivitet", "Activity"),
    (Head::Of(Column::Responsible), "Ansvarig", "Responsible"),
    (Head::Of(Column::Time), "Tid", "Time"),
    (Head::Of(Column::Cost), "Kostnad", "Cost"),
    (Head::Of(Column::Comment), "Kommentar", "Comment"),
    (Head::Id, "Id", "Id"),
    (Head::Base, "Bas", "Base"),
];

/// What else municipalities call them.
const OTHERS: [(Head, &[&str]); 8] = [
    (Head::Of(Column::Area), &["område", "huvudområde", "målområde", "area", "main area"]),
    (Head::Goal, &["huvudmål", "mål", "main goal", "goal"]),
    (Head::Of(Column::Subgoal), &["delmål/inriktning", "sub goal", "subgoal"]),
    (
        Head::Of(Column::Activity),
        &["aktiviteter", "åtgärd", "åtgärder", "insats", "activities", "action", "title"],
    ),
    (
        Head::Of(Column::Responsible),
        &["ansvariga", "ansvar", "ansvarig part", "ansvarig/ansvariga", "responsible party"],
    ),
    (Head::Of(Column::Time), &["tidplan", "tidpunkt", "när", "when", "schedule"]),
    (Head::Of(Column::Cost), &["kostnader", "budget", "belopp", "costs", "amount"]),
    (Head::Of(Column::Comment), &["kommentarer", "anmärkning", "notering", "comments", "note", "notes"]),
];

impl Head {
    /// What a header cell names; letter case, extra spaces and a unit in parentheses do not count.
    pub(crate) fn named(cell: &str) -> Option<Self> {
        let wanted = folded(cell.split('(').next().unwrap_or_default());
        NAMES.get(wanted.as_str()).copied()
    }
}

/// Every name in the form in which it is looked up.
static NAMES: LazyLock<HashMap<String, Head>> = LazyLock::new(|| {
    let others = OTHERS.iter().flat_map(|(head, names)| names.iter().map(|name| (folded(name), *head)));
    let written = WRITTEN.iter().flat_map(|(head, sv, en)| [(folded(sv), *head), (folded(en), *head)]);
    // What is written goes before what others call it.
    others.chain(written).collect()
});

/// The unit that a header gives all amounts below it: `Kostnad (tkr)`. Kronor need none.
pub(crate) fn unit(cell: &str) -> Option<&'static str> {
    let inside = cell.split_once('(')?.1.split(')').next()?;
    ["tkr", "mnkr"].into_iter().find(|unit| folded(inside) == *unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_known_in_both_languages_however_they_are_written() {
        for (cell, head) in [
            ("Område och huvudmål", Head::Of(Column::Area)),
            ("  OMRA\u{30a}DE  och\nhuvudmål ", Head::Of(Column::Area)),
            ("Area and main goal", Head::Of(Column::Area)),
            ("Huvudmål", Head::Goal),
            ("Sub-goal", Head::Of(Column::Subgoal)),
            ("Åtgärd", Head::Of(Column::Activity)),
            ("Kostnad (tkr)", Head::Of(Column::Cost)),
            ("När", Head::Of(Column::Time)),
            ("ID", Head::Id),
        ] {
            assert_eq!(Head::named(cell), Some(head), "{cell}");
        }
        assert_eq!(Head::named("Status"), None);
        assert_eq!(Head::named(""), None);
    }

    #[test]
    fn a_header_says_the_unit_of_its_amounts() {
        assert_eq!(unit("Kostnad (tkr)"), Some("tkr"));
        assert_eq!(unit("Budget ( Mnkr )"), Some("mnkr"));
        assert_eq!(unit("Kostnad (kr)"), None);
        assert_eq!(unit("Kostnad"), None);
    }
}
