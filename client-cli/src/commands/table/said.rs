//! What is said of a file that was read: how it was written, what of it is not read, what stands as it is because nobody can tell what it
//! says, and what an empty programme gets of it.

use radslag_table::{NotUnderstood, Row, Sheet};
use serde_json::{Value as Json, json};

use super::Source;
use crate::error::CliError;
use crate::ui::{Lang, Ui};

/// How many texts are named one by one.
const NAMED: usize = 8;

/// Says it to the person; programs have it in the answer.
pub fn about(ui: Ui, source: &Source) {
    let Sheet { encoding, unread, .. } = &source.sheet;
    if let Some(encoding) = encoding {
        ui.say(&match ui.lang {
            Lang::Sv => format!("filen är läst som {encoding}"),
            Lang::En => format!("the file is read as {encoding}"),
        });
    }
    if !unread.is_empty() {
        let names = quoted(unread);
        ui.say(&match ui.lang {
            Lang::Sv => format!("läses inte, för ingen kolumn i programmet heter så: {names}"),
            Lang::En => format!("not read, because no column of a programme has that name: {names}"),
        });
    }
    let cells = source.table.not_understood();
    if cells.is_empty() {
        return;
    }
    let count = cells.len();
    ui.say(&match ui.lang {
        Lang::Sv => {
            format!("{count} celler förstås inte som tid eller belopp; de står kvar som de är skrivna:")
        }
        Lang::En => {
            format!("{count} cells are not understood as a time or an amount; they stand as written:")
        }
    });
    for cell in cells.iter().take(NAMED) {
        ui.say(&format!("  {}", line(ui, cell)));
    }
    if count > NAMED {
        ui.say(&match ui.lang {
            Lang::Sv => format!("  … och {} till", count - NAMED),
            Lang::En => format!("  … and {} more", count - NAMED),
        });
    }
}

fn line(ui: Ui, cell: &NotUnderstood) -> String {
    let why = cell.why.as_ref().map_or(String::new(), |why| format!("  ({why})"));
    let text: String = cell.text.chars().take(60).collect();
    format!("{} {}, {}: {text:?}{why}", ui.text("rad", "line"), cell.line, cell.column)
}

fn quoted(names: &[String]) -> String {
    let short = |name: &String| format!("{:?}", name.chars().take(40).collect::<String>());
    names.iter().map(short).collect::<Vec<_>>().join(", ")
}

/// The same for programs.
pub(super) fn about_json(source: &Source) -> Json {
    let cells: Vec<Json> = source
        .table
        .not_understood()
        .iter()
        .map(|cell| json!({"line": cell.line, "column": cell.column.name(), "text": cell.text}))
        .collect();
    json!({"encoding": source.sheet.encoding, "columns_not_read": source.sheet.unread, "not_understood": cells})
}

/// `import --dry-run` on an empty programme: everything is new.
pub(super) fn everything_new(ui: Ui, source: &Source) -> Result<(), CliError> {
    let mut rows = Vec::new();
    let mut counts = [0_usize; 3];
    for row in &source.table.rows {
        let line = row.line().to_string();
        match row {
            Row::Area { title, goal, .. } => {
                counts[0] += 1;
                let text = goal.as_ref().map_or_else(|| title.clone(), |goal| format!("{title} - {goal}"));
                rows.push(vec![line, ui.text("område", "area").to_owned(), text]);
            }
            Row::Subgoal { title, .. } => {
                counts[1] += 1;
                rows.push(vec![line, ui.text("delmål", "sub-goal").to_owned(), title.clone()]);
            }
            Row::Activity { subgoal, title, .. } => {
                if let Some(subgoal) = subgoal {
                    counts[1] += 1;
                    rows.push(vec![line.clone(), ui.text("delmål", "sub-goal").to_owned(), subgoal.clone()]);
                }
                counts[2] += 1;
                rows.push(vec![line, ui.text("aktivitet", "activity").to_owned(), title.clone()]);
            }
        }
    }
    let [areas, subgoals, activities] = counts;
    if ui.json() {
        let mut answer = about_json(source);
        answer["dry_run"] = json!(true);
        answer["title"] = json!(source.table.title);
        answer["new"] = json!({"headings": areas, "subgoals": subgoals, "activities": activities});
        answer["parties"] = source.table.parties().into_iter().map(|(name, ..)| json!(name)).collect();
        return ui.object(&answer);
    }
    let headings = match ui.lang {
        Lang::Sv => ["rad", "nytt", "vad"],
        Lang::En => ["line", "new", "what"],
    };
    ui.table(&headings, &rows)?;
    let parties = source.table.parties().len();
    ui.line("")?;
    ui.line(&match ui.lang {
        Lang::Sv => format!("ingenting skrivet; import lägger till {areas} rubriker, {subgoals} delmål, {activities} aktiviteter och {parties} parter"),
        Lang::En => format!("nothing written; import adds {areas} headings, {subgoals} sub-goals, {activities} activities and {parties} parties"),
    })
}
