//! The report as Markdown: what a meeting gets on paper, or pastes into its minutes.

use radslag_core::diff::Sort;
use radslag_core::report::{Section, Told};
use radslag_core::value::Slot;

use super::{Ends, Point, sums};
use crate::args::Diff;
use crate::commands::point;
use crate::error::CliError;
use crate::ui::{Lang, Ui};
use crate::when;

/// Above so many characters before and after stand on lines of their own.
const LONG: usize = 80;

/// Writes the whole report.
pub(super) fn write(ui: Ui, ends: &Ends<'_>, args: &Diff) -> Result<(), CliError> {
    let sections = ends.report();
    let title = escaped(&ends.later.title);
    ui.line(&match ui.lang {
        Lang::Sv => format!("# Ändringar i {title}"),
        Lang::En => format!("# Changes in {title}"),
    })?;
    ui.line("")?;
    let (from, to) = (end(ui, ends.from, args.from.as_deref()), end(ui, ends.to, args.to.as_deref()));
    ui.line(&match ui.lang {
        Lang::Sv => format!("Från {from} till {to}."),
        Lang::En => format!("From {from} to {to}."),
    })?;
    ui.line("")?;
    ui.line(&format!("**{}**", capital(&sums(ui, &ends.earlier.cost, &ends.later.cost))))?;
    ui.line("")?;
    ui.line(&counts(ui, &sections))?;
    for section in &sections {
        write_section(ui, ends, section)?;
    }
    ui.line("")?;
    ui.line(&format!("`{}`", point::footer(ui, &ends.basis, &ends.open)))
}

/// Where an end is, with the name that it was asked for by.
fn end(ui: Ui, point: &Point, asked: Option<&str>) -> String {
    let named = asked.filter(|asked| !asked.starts_with('@')).map(escaped);
    let at = format!("position {}, {}", point.position, when::local(point.state.recorded_at()));
    let day = format!("{} {}", ui.text("gäller", "in force on"), point.day);
    match named {
        Some(named) => format!("{named} ({at}; {day})"),
        None => format!("{at} ({day})"),
    }
}

fn counts(ui: Ui, sections: &[Section<'_>]) -> String {
    let all = || sections.iter().flat_map(|section| &section.told);
    let count = |sort| all().filter(|told| told.change.sort == sort).count();
    let [added, retired, moved] = [Sort::Added, Sort::Retired, Sort::Moved].map(count);
    let revised = all().filter(|told| told.change.sort == Sort::Revised).map(|told| told.change.entity);
    let revised = revised.collect::<std::collections::BTreeSet<_>>().len();
    match ui.lang {
        _ if sections.is_empty() => ui.text("Ingenting har ändrats.", "Nothing has changed.").to_owned(),
        Lang::Sv => {
            format!("Nya: {added}. Utgångna: {retired}. Flyttade: {moved}. Med ändrat innehåll: {revised}.")
        }
        Lang::En => format!("New: {added}. Retired: {retired}. Moved: {moved}. Changed: {revised}."),
    }
}

fn write_section(ui: Ui, ends: &Ends<'_>, section: &Section<'_>) -> Result<(), CliError> {
    ui.line("")?;
    ui.line(&format!("## {}", escaped(&ends.heading(ui, section.about))))?;
    if section.before != section.after {
        ui.line("")?;
        ui.line(&capital(&sums(ui, &section.before, &section.after)))?;
    }
    for sort in [Sort::Added, Sort::Retired, Sort::Moved, Sort::Revised] {
        let told: Vec<&Told<'_>> = section.told.iter().filter(|told| told.change.sort == sort).collect();
        if told.is_empty() {
            continue;
        }
        ui.line("")?;
        ui.line(&format!("### {}", sort_heading(ui, sort)))?;
        ui.line("")?;
        for line in lines(ui, ends, &told) {
            ui.line(&line)?;
        }
    }
    Ok(())
}

fn sort_heading(ui: Ui, sort: Sort) -> &'static str {
    match sort {
        Sort::Added => ui.text("Nytt", "New"),
        Sort::Retired => ui.text("Utgått", "Retired"),
        Sort::Moved => ui.text("Flyttat", "Moved"),
        Sort::Revised => ui.text("Ändrat", "Changed"),
    }
}

/// One list item for each thing, with an item below it for each of its fields that changed.
fn lines(ui: Ui, ends: &Ends<'_>, told: &[&Told<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut last = None;
    for told in told {
        let change = &told.change;
        let title = escaped(&change.title);
        let by = by(ui, ends, told);
        if change.sort == Sort::Revised {
            if last != Some(change.entity) {
                lines.push(format!("- **{title}**"));
            }
            last = Some(change.entity);
            lines.extend(revision(ui, ends, told, &by));
            continue;
        }
        let within = change.parent.map(|parent| format!(" ({})", escaped(&ends.ground.title(parent))));
        let within = within.unwrap_or_default();
        lines.push(if change.sort == Sort::Moved {
            let (before, after) = ends.values(ui, told);
            let left = ends.left(told).map_or(String::new(), |area| format!(" ({})", escaped(area)));
            let (from, to) = (format!("{}{left}", escaped(&before)), escaped(&after));
            match ui.lang {
                Lang::Sv => format!("- **{title}**: från {from} till {to}{by}"),
                Lang::En => format!("- **{title}**: from {from} to {to}{by}"),
            }
        } else {
            let facts = ends.facts(told).map_or(String::new(), |facts| format!(": {}", escaped(&facts)));
            format!("- **{title}**{within}{facts}{by}")
        });
    }
    lines
}

fn revision(ui: Ui, ends: &Ends<'_>, told: &Told<'_>, by: &str) -> Vec<String> {
    let (before, after) = ends.values(ui, told);
    let field = told.change.field.map_or(String::new(), |field| ends.ground.field(ui, field));
    let long = before.chars().count() + after.chars().count() > LONG;
    let (before, after) = (escaped(&before), escaped(&after));
    if !long {
        return vec![format!("  - {field}: {before} → {after}{by}")];
    }
    vec![
        format!("  - {field}{by}"),
        format!("    - {}: {before}", ui.text("före", "before")),
        format!("    - {}: {after}", ui.text("efter", "after")),
    ]
}

/// Who, why and by which decision, and whether somebody disagrees.
fn by(ui: Ui, ends: &Ends<'_>, told: &Told<'_>) -> String {
    let mut parts: Vec<String> = ends.who(told).into_iter().collect();
    for slot in [Slot::REASON, Slot::DECISION] {
        parts.extend(told.by.and_then(|write| ends.ground.beside(write.event, slot)));
    }
    parts.extend(told.in_conflict.then(|| ui.text("i konflikt", "in conflict").to_owned()));
    if parts.is_empty() { String::new() } else { format!(" — *{}*", escaped(&parts.join("; "))) }
}

/// What somebody wrote, so that it reads as written.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        // A list item is one line; a text that has several keeps them as breaks.
        if letter == '\n' {
            out.push_str("<br>");
            continue;
        }
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
