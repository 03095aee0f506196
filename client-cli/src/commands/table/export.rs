//! `export`: the programme as a file, as of any point in time, and what whoever changes the file has seen.

use std::fs;
use std::path::{Path, PathBuf};

use radslag_client::replica::View;
use radslag_core::event::Source as From;
use radslag_core::id::EventId;
use radslag_core::parse::cost::Cost;
use radslag_core::value::Values as _;
use radslag_core::view::{self, ActivityView, AreaView, ProgramView, Standing, SubgoalView};
use radslag_table::{CsvForm, ExportActivity, ExportArea, ExportProgram, ExportSubgoal, Layout};
use serde_json::json;

use super::super::{Place, point};
use super::extension;
use crate::args::Export;
use crate::error::CliError;
use crate::ui::{Lang, Ui};

/// `export`.
pub fn export(place: &Place, args: &Export) -> Result<(), CliError> {
    let form = extension(&args.to);
    match form.as_str() {
        "tsv" | "csv" | "json" => {}
        "xlsx" => return Err(super::super::not_yet("export to xlsx")),
        _ => {
            let file = args.to.display();
            return Err(CliError::usage(format!(
                "--to {file}: name a file that ends in .tsv, .csv or .json"
            )));
        }
    }
    let replica = place.open()?;
    let view = replica.view();
    let point = point::at(place, &replica, &view, &args.at)?;
    let whole = view::program(&point.state, &view, point.day);
    let left_out = left_out(&whole);
    let program = in_force(whole);
    let base = point.sight();
    let entity = point.state.program_id().into();
    let ui = place.ui;
    let bytes = match form.as_str() {
        "csv" => {
            let form = CsvForm { delimiter: args.delimiter, english: ui.lang == Lang::En, base: &base };
            radslag_table::write_csv(entity, &program, &form).map_err(|error| unwritten(&error))?
        }
        "json" => radslag_table::write_json(entity, &program, &base),
        _ => tsv(ui, &view, &point.state, &program)?,
    };
    write_whole(&args.to, &bytes)?;
    if left_out > 0 {
        ui.say(&match ui.lang {
            Lang::Sv => format!("{left_out} aktiviteter gäller ännu inte {} och är inte med", point.day),
            Lang::En => {
                format!("{left_out} activities are not in force on {} yet and are left out", point.day)
            }
        });
    }
    if ui.json() {
        return ui.object(&point.marked(json!({
            "file": args.to.display().to_string(), "bytes": bytes.len(), "position": point.position.get(),
            "effective_on": point.day.to_string(), "base_token": point.form.to_string(), "base": base,
        })));
    }
    ui.line(&format!(
        "{}: {} byte, position {}, {}",
        args.to.display(),
        bytes.len(),
        point.position,
        point.day
    ))?;
    ui.line(&point.footer(ui))?;
    let file = args.to.display();
    let given = if form == "tsv" { format!(" --base {base}") } else { String::new() };
    ui.say(&match ui.lang {
        Lang::Sv => format!("ändra filen och lämna tillbaka den: radslag import --dry-run {file}{given}"),
        Lang::En => format!("change the file and hand it back: radslag import --dry-run {file}{given}"),
    });
    ui.say(&match ui.lang {
        Lang::Sv => format!("det som ändras utifrån tabellen: radslag edit … --base {}", point.form),
        Lang::En => {
            format!("for what is changed after reading the table: radslag edit … --base {}", point.form)
        }
    });
    Ok(())
}

fn unwritten(error: &radslag_table::TableError) -> CliError {
    CliError::refused(
        error.to_string(),
        "nothing was written; change the text with radslag edit and export again",
    )
}

/// The programme in the layout of the table that it began with.
fn tsv(
    ui: Ui,
    view: &View<'_>,
    state: &radslag_core::state::State,
    program: &ProgramView,
) -> Result<Vec<u8>, CliError> {
    let import = state.imports().first().copied();
    let layout =
        import.and_then(|import| view.bytes(import.layout)).map(|bytes| Layout::decode(&bytes)).transpose();
    let layout =
        layout.map_err(|error| CliError::Unverified(format!("the layout of the imported table: {error}")))?;
    let mut flat = Flat::default();
    let exported = flat.program(program, import.map(|import| import.event));
    if flat.texts > 0 {
        ui.say(&match ui.lang {
            Lang::Sv => format!("{} texter har radbrytningar, som en .tsv inte kan ha: de står som mellanslag; .csv och .json har dem kvar", flat.texts),
            Lang::En => format!("{} texts have line breaks, which a .tsv cannot have: they stand as spaces; .csv and .json keep them", flat.texts),
        });
    }
    radslag_table::write(layout.as_ref(), &exported).map_err(|error| unwritten(&error))
}

/// Writes beside and renames, so that no reader ever meets half a table.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = PathBuf::from(temporary);
    let failed = |source| CliError::File { path: path.to_owned(), source };
    fs::write(&temporary, bytes).map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)
}

/// How many activities a table leaves out, because they are not in force yet.
fn left_out(program: &ProgramView) -> usize {
    program.activities().filter(|(.., activity)| matches!(activity.standing, Standing::NotYet(_))).count()
}

/// A table has no place for flags: what is not in force is left out, unless something in force stands in it.
pub(super) fn in_force(mut program: ProgramView) -> ProgramView {
    let stands = |standing, empty: bool| standing == Standing::InForce || !empty;
    for area in &mut program.areas {
        for subgoal in &mut area.subgoals {
            subgoal.activities.retain(|activity| activity.standing == Standing::InForce);
        }
        area.subgoals.retain(|subgoal| stands(subgoal.standing, subgoal.activities.is_empty()));
    }
    program.areas.retain(|area| stands(area.standing, area.subgoals.is_empty()));
    program
}

/// Writes texts on one line, and counts those that had several.
#[derive(Default)]
struct Flat {
    texts: usize,
}

impl Flat {
    fn text(&mut self, text: &str) -> String {
        if !text.contains(char::is_control) {
            return text.to_owned();
        }
        self.texts += 1;
        text.split(char::is_control)
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn program(&mut self, program: &ProgramView, import: Option<EventId>) -> ExportProgram {
        let areas = program.areas.iter().map(|area| self.area(area, import)).collect();
        ExportProgram { title: self.text(&program.title), areas }
    }

    fn area(&mut self, area: &AreaView, import: Option<EventId>) -> ExportArea {
        ExportArea {
            source_line: line(area.source, import),
            title: self.text(&area.title),
            goal: area.goal.as_deref().map(|goal| self.text(goal)),
            subgoals: area.subgoals.iter().map(|subgoal| self.subgoal(subgoal, import)).collect(),
        }
    }

    fn subgoal(&mut self, subgoal: &SubgoalView, import: Option<EventId>) -> ExportSubgoal {
        ExportSubgoal {
            source_line: line(subgoal.source, import),
            title: self.text(&subgoal.title),
            activities: subgoal.activities.iter().map(|activity| self.activity(activity, import)).collect(),
        }
    }

    fn activity(&mut self, activity: &ActivityView, import: Option<EventId>) -> ExportActivity {
        let cost = activity.cost.as_ref().map(Cost::display).unwrap_or_default();
        ExportActivity {
            source_line: line(activity.source, import),
            title: self.text(&activity.title),
            responsible: self.text(&activity.responsible_text),
            time: self.text(activity.time.as_deref().unwrap_or_default()),
            cost: self.text(&cost),
            comment: self.text(activity.comment.as_deref().unwrap_or_default()),
        }
    }
}

/// The line of the file that the programme began with.
fn line(source: Option<From>, import: Option<EventId>) -> Option<u32> {
    source.filter(|source| Some(source.import) == import).map(|source| source.line)
}
