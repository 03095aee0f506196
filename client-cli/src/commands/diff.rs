//! `diff`: what changed between two points, by area, with sums before and after and who wrote what is new. For people as a table,
//! for a meeting as Markdown (`markdown`), for programs as one line a difference.

mod markdown;

use std::collections::BTreeSet;

use radslag_client::replica::{Replica, View};
use radslag_core::basis::Open;
use radslag_core::diff::{self, Sort};
use radslag_core::report::{self, About, End, Section, Told};
use radslag_core::time::CivilDate;
use radslag_core::value::Slot;
use radslag_core::view::{self, AreaView, CostSum, FieldValue, ProgramView};
use serde_json::json;

use super::point::Point;
use super::{Place, point};
use crate::args::Diff;
use crate::error::CliError;
use crate::shape::{Ground, cost_text, sum_text, value_json};
use crate::ui::{Format, Lang, Ui};
use crate::when;

/// Both ends of a difference, read.
struct Ends<'a> {
    from: &'a Point,
    to: &'a Point,
    earlier: ProgramView,
    later: ProgramView,
    /// The later end, and the earlier one for the names that things had then.
    ground: Ground<'a>,
    before: Ground<'a>,
    basis: String,
    open: Vec<Open>,
}

/// `diff`.
pub fn diff(place: &Place, args: &Diff) -> Result<(), CliError> {
    let replica = place.open()?;
    let view = replica.view();
    let (from, to) = two_points(place, &replica, &view, args)?;
    let open: BTreeSet<Open> = from.open.iter().chain(&to.open).copied().collect();
    let ends = Ends {
        earlier: view::program(&from.state, &view, from.day),
        later: view::program(&to.state, &view, to.day),
        ground: to.ground(&view),
        before: from.ground(&view),
        basis: format!("{}..{}", from.basis, to.basis),
        open: open.into_iter().collect(),
        from: &from,
        to: &to,
    };
    match place.ui.format {
        Format::Json => ends.json(place.ui),
        Format::Table => ends.table(place.ui),
        Format::Md => markdown::write(place.ui, &ends, args),
    }
}

/// The two points of a `diff`.
fn two_points(
    place: &Place,
    replica: &Replica,
    view: &View<'_>,
    args: &Diff,
) -> Result<(Point, Point), CliError> {
    if let Some(text) = &args.basis {
        let both = text.split_once("..");
        let (from, to) = both.ok_or_else(|| CliError::usage("--basis: write both bases, FROM..TO"))?;
        let (from, to) = (point::basis(from)?, point::basis(to)?);
        return Ok((point::on(place.ui, replica, &from)?, point::on(place.ui, replica, &to)?));
    }
    let [from_day, to_day] = days(args.effective.as_deref())?;
    let from = point::read(place.ui, replica, view, args.from.as_deref(), from_day)?;
    Ok((from, point::read(place.ui, replica, view, args.to.as_deref(), to_day)?))
}

/// The days for which the two points are read: one for both, or `FROM..TO`.
fn days(effective: Option<&str>) -> Result<[Option<CivilDate>; 2], CliError> {
    let Some(text) = effective else { return Ok([None, None]) };
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    Ok([Some(when::day("--effective", from)?), Some(when::day("--effective", to)?)])
}

impl Ends<'_> {
    fn ends(&self) -> (End<'_>, End<'_>) {
        let from = End { state: &self.from.state, day: self.from.day, view: &self.earlier };
        (from, End { state: &self.to.state, day: self.to.day, view: &self.later })
    }

    fn report(&self) -> Vec<Section<'_>> {
        let (from, to) = self.ends();
        report::report(from, to)
    }

    /// Before and after, for people.
    fn values(&self, ui: Ui, told: &Told<'_>) -> (String, String) {
        let change = &told.change;
        let text = |ground: &Ground<'_>, value| {
            change.field.map_or(String::new(), |field| ground.value_text(ui, field, value))
        };
        (text(&self.before, change.before.as_ref()), text(&self.ground, change.after.as_ref()))
    }

    /// The area that something moved away from, where that is another one than it stands in now.
    fn left(&self, told: &Told<'_>) -> Option<&str> {
        let Some(FieldValue::Entity(parent)) = told.change.before else { return None };
        let holds = |area: &&AreaView| area.subgoals.iter().any(|subgoal| subgoal.id == parent);
        let area = self.earlier.areas.iter().find(holds)?;
        (Some(area.id) != told.change.area).then_some(area.title.as_str())
    }

    /// What an activity that came or went says: who, when, what it costs. A meeting decides about that, not about a title alone.
    fn facts(&self, told: &Told<'_>) -> Option<String> {
        let view = match told.change.sort {
            Sort::Added => &self.later,
            Sort::Retired => &self.earlier,
            Sort::Moved | Sort::Revised => return None,
        };
        let (.., activity) = view.activities().find(|(.., activity)| activity.id == told.change.entity)?;
        let facts = [
            Some(activity.responsible_text.clone()),
            activity.time.clone(),
            activity.cost.as_ref().map(cost_text),
        ];
        let facts: Vec<String> = facts.into_iter().flatten().filter(|text| !text.trim().is_empty()).collect();
        (!facts.is_empty()).then(|| facts.join(" · "))
    }

    fn who(&self, told: &Told<'_>) -> Option<String> {
        let (org, member) = self.ground.author(told.by?);
        Some(format!("{org}, {member}"))
    }

    fn heading(&self, ui: Ui, about: About) -> String {
        match about {
            About::Program => ui.text("Programmet", "The programme").to_owned(),
            About::Parties => ui.text("Parter", "Parties").to_owned(),
            About::Area(id) => {
                let areas = self.later.areas.iter().chain(&self.earlier.areas);
                let found = areas.into_iter().find(|area| area.id == id);
                found.map_or_else(String::new, |area| match &area.goal {
                    Some(goal) => format!("{} - {goal}", area.title),
                    None => area.title.clone(),
                })
            }
        }
    }

    fn json(&self, ui: Ui) -> Result<(), CliError> {
        let (from, to) = self.ends();
        let title = |id| self.ground.title(id);
        for change in diff::diff(from.view, to.view) {
            let told = report::tell(change, &from, &to);
            let change = &told.change;
            let author = told.by.map(|write| self.ground.author(write));
            let beside = |slot| told.by.and_then(|write| self.ground.beside(write.event, slot));
            ui.object(&json!({
                "entity_id": (!change.entity.is_zero()).then(|| change.entity.to_string()),
                "title": change.title, "sort": sort_name(change.sort), "field": change.field.map(|field| field.name()),
                "before": change.before.as_ref().map(value_json), "after": change.after.as_ref().map(value_json),
                "area_id": change.area.map(|id| id.to_string()), "area": change.area.map(title),
                "parent_id": change.parent.map(|id| id.to_string()), "parent": change.parent.map(title),
                "event_id": told.by.map(|write| write.event.to_string()),
                "org": author.as_ref().map(|(org, _)| org), "member": author.as_ref().map(|(_, member)| member),
                "reason": beside(Slot::REASON), "decision": beside(Slot::DECISION), "in_conflict": told.in_conflict,
                "basis": self.basis, "open": point::open_json(&self.open),
            }))?;
        }
        Ok(())
    }

    fn table(&self, ui: Ui) -> Result<(), CliError> {
        let sections = self.report();
        if sections.is_empty() {
            ui.tell("ingenting har ändrats", "nothing has changed")?;
            ui.line("")?;
        }
        let headings = match ui.lang {
            Lang::Sv => ["ändring", "vad", "fält", "före", "efter", "av"],
            Lang::En => ["change", "what", "field", "before", "after", "by"],
        };
        for section in &sections {
            ui.line(&self.heading(ui, section.about))?;
            let rows: Vec<Vec<String>> = section.told.iter().map(|told| self.row(ui, told)).collect();
            ui.table(&headings, &rows)?;
            if section.before != section.after {
                ui.line(&sums(ui, &section.before, &section.after))?;
            }
            ui.line("")?;
        }
        ui.line(&sums(ui, &self.earlier.cost, &self.later.cost))?;
        ui.line(&point::footer(ui, &self.basis, &self.open))
    }

    fn row(&self, ui: Ui, told: &Told<'_>) -> Vec<String> {
        let (mut before, mut after) = self.values(ui, told);
        let facts = self.facts(told).unwrap_or_default();
        match told.change.sort {
            Sort::Added => after = facts,
            Sort::Retired => before = facts,
            Sort::Moved | Sort::Revised => {}
        }
        let flag = if told.in_conflict { ui.text("  [konflikt]", "  [conflict]") } else { "" };
        let field = told.change.field.map_or(String::new(), |field| self.ground.field(ui, field));
        vec![
            sort_text(ui, told.change.sort).to_owned(),
            told.change.title.clone(),
            field,
            before,
            format!("{after}{flag}"),
            self.who(told).unwrap_or_default(),
        ]
    }
}

/// `sum: 525 000 kr → 575 000 kr; without a cost: 26 of 32 → 25 of 32 activities`.
fn sums(ui: Ui, before: &CostSum, after: &CostSum) -> String {
    let arrow = |one: String, two: String| if one == two { one } else { format!("{one} → {two}") };
    let sum = arrow(sum_text(before), sum_text(after));
    let of = |sum: &CostSum| format!("{} {} {}", sum.missing, ui.text("av", "of"), sum.activities);
    let missing = arrow(of(before), of(after));
    match ui.lang {
        Lang::Sv => format!("summa: {sum}; utan kostnad: {missing} aktiviteter"),
        Lang::En => format!("sum: {sum}; without a cost: {missing} activities"),
    }
}

const fn sort_name(sort: Sort) -> &'static str {
    match sort {
        Sort::Added => "added",
        Sort::Retired => "retired",
        Sort::Moved => "moved",
        Sort::Revised => "revised",
    }
}

fn sort_text(ui: Ui, sort: Sort) -> &'static str {
    match (ui.lang, sort) {
        (Lang::En, sort) => sort_name(sort),
        (Lang::Sv, Sort::Added) => "ny",
        (Lang::Sv, Sort::Retired) => "utgått",
        (Lang::Sv, Sort::Moved) => "flyttad",
        (Lang::Sv, Sort::Revised) => "ändrad",
    }
}
