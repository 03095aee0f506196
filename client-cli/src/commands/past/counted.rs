//! `log --by`: how much each organisation or member has written, and when for the last time.

use std::collections::BTreeMap;

use radslag_core::record::{Entry, Recorded};
use radslag_core::time::Instant;
use radslag_core::view::swedish_key;
use serde_json::json;

use crate::args::By;
use crate::commands::point::Point;
use crate::error::CliError;
use crate::shape::Ground;
use crate::shape::NOBODY;
use crate::ui::{Lang, Ui};
use crate::when;

/// What one organisation or member has done.
struct Count {
    org: String,
    member: String,
    accepted: usize,
    rejected: usize,
    first: Instant,
    last: Instant,
}

/// Writes one line for each, those that have written most first.
pub(super) fn write(
    ui: Ui,
    point: &Point,
    ground: &Ground<'_>,
    records: &[Recorded],
    by: By,
) -> Result<(), CliError> {
    let counts = counts(ground, records, by);
    if ui.json() {
        return counts.iter().try_for_each(|count| {
            ui.object(&point.marked(json!({
                "org": count.org, "member": (by == By::Member).then_some(&count.member),
                "accepted": count.accepted, "rejected": count.rejected,
                "first_at": when::rfc3339(count.first), "last_at": when::rfc3339(count.last),
            })))
        });
    }
    let row = |count: &Count| {
        let Count { org, member, .. } = count;
        vec![
            match (org.is_empty(), by) {
                (true, _) => ui.text(NOBODY.0, NOBODY.1).to_owned(),
                (false, By::Member) => format!("{org}, {member}"),
                (false, By::Org) => org.clone(),
            },
            count.accepted.to_string(),
            count.rejected.to_string(),
            when::local(count.first),
            when::local(count.last),
        ]
    };
    let rows: Vec<Vec<String>> = counts.iter().map(row).collect();
    let headings = match ui.lang {
        Lang::Sv => ["vem", "ändringar", "avvisade", "första", "senaste"],
        Lang::En => ["who", "changes", "rejected", "first", "last"],
    };
    ui.table(&headings, &rows)?;
    ui.line("")?;
    ui.line(&point.footer(ui))
}

fn counts(ground: &Ground<'_>, records: &[Recorded], by: By) -> Vec<Count> {
    let mut counts: BTreeMap<(String, String), Count> = BTreeMap::new();
    for record in records {
        let (org, member) = ground.device(record.device());
        let member = if by == By::Member { member } else { String::new() };
        let at = record.recorded_at;
        let count = counts.entry((org.clone(), member.clone())).or_insert_with(|| Count {
            org,
            member,
            accepted: 0,
            rejected: 0,
            first: at,
            last: at,
        });
        match &record.entry {
            Entry::Accepted { .. } => count.accepted += 1,
            Entry::Rejected(_) => count.rejected += 1,
        }
        count.last = at;
    }
    let mut counts: Vec<Count> = counts.into_values().collect();
    counts.sort_by_cached_key(|count| {
        (std::cmp::Reverse(count.accepted), swedish_key(&count.org), swedish_key(&count.member))
    });
    counts
}
