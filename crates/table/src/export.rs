//! The programme as it is handed over for export, and the check that a table can hold it.

use crate::columns::{Column, Texts};
use crate::error::TableError;
use crate::read::GOAL_MARK;
use crate::{MAX_CELL_BYTES, MAX_LINE_BYTES};

/// A programme in its order, without what is retired.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ExportProgram {
    /// The title. Written when the imported file had a title line, or when there was no file.
    pub title: String,
    /// The areas.
    pub areas: Vec<ExportArea>,
}

/// An area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportArea {
    /// Its physical line in the imported file, from 1; none when it was added later.
    pub source_line: Option<u32>,
    /// The name.
    pub title: String,
    /// The main goal. One that is blank is none.
    pub goal: Option<String>,
    /// The sub-goals.
    pub subgoals: Vec<ExportSubgoal>,
}

/// A sub-goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportSubgoal {
    /// The physical line of the row that carried its text, from 1; none when it was added later.
    pub source_line: Option<u32>,
    /// The title.
    pub title: String,
    /// The activities.
    pub activities: Vec<ExportActivity>,
}

/// An activity, with the texts to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportActivity {
    /// Its physical line in the imported file, from 1; none when it was added later.
    pub source_line: Option<u32>,
    /// The title.
    pub title: String,
    /// Who is responsible.
    pub responsible: String,
    /// When.
    pub time: String,
    /// What it costs.
    pub cost: String,
    /// Comment.
    pub comment: String,
}

impl ExportArea {
    /// The heading's text: the name alone, or with the goal behind the mark.
    pub(crate) fn heading(&self) -> String {
        match &self.goal {
            Some(goal) if !goal.trim().is_empty() => format!("{}{GOAL_MARK}{goal}", self.title),
            Some(_) | None => self.title.clone(),
        }
    }
}

impl ExportActivity {
    /// The row's texts, without the sub-goal.
    pub(crate) fn texts(&self) -> Texts {
        Texts::default()
            .with(Column::Activity, &self.title)
            .with(Column::Responsible, &self.responsible)
            .with(Column::Time, &self.time)
            .with(Column::Cost, &self.cost)
            .with(Column::Comment, &self.comment)
    }
}

/// Checks every text before the first is written, so that nothing is written half.
pub(crate) fn check(view: &ExportProgram, with_title: bool) -> Result<(), TableError> {
    if with_title {
        Named { what: "programme", line: None, title: &view.title }.check(Column::Area, &view.title)?;
    }
    for area in &view.areas {
        let named = Named { what: "area", line: area.source_line, title: &area.title };
        named.check(Column::Area, &area.heading())?;
        for subgoal in &area.subgoals {
            let named = Named { what: "sub-goal", line: subgoal.source_line, title: &subgoal.title };
            named.check(Column::Subgoal, &subgoal.title)?;
            for activity in &subgoal.activities {
                check_activity(activity, &subgoal.title)?;
            }
        }
    }
    Ok(())
}

fn check_activity(activity: &ExportActivity, subgoal: &str) -> Result<(), TableError> {
    let named = Named { what: "activity", line: activity.source_line, title: &activity.title };
    named.check(Column::Activity, &activity.title)?;
    // Any row may come to carry the sub-goal's text, and seven cells have six tabs between them.
    let mut bytes = subgoal.len() + 6;
    let texts = activity.texts();
    for column in Column::ALL {
        named.check_text(column, texts.get(column))?;
        bytes += texts.get(column).len();
    }
    if bytes > MAX_LINE_BYTES {
        Err(TableError::TextsTooLong { item: named.quoted(), bytes })
    } else {
        Ok(())
    }
}

/// Whose text it is, for the message.
struct Named<'a> {
    what: &'static str,
    line: Option<u32>,
    title: &'a str,
}

impl Named<'_> {
    /// Checks that there is a title, and the text that it is part of.
    fn check(&self, column: Column, text: &str) -> Result<(), TableError> {
        if self.title.trim().is_empty() {
            return Err(TableError::NoTitle { item: self.located(), column });
        }
        self.check_text(column, text)
    }

    fn check_text(&self, column: Column, text: &str) -> Result<(), TableError> {
        if text.len() > MAX_CELL_BYTES {
            return Err(TableError::TextTooLong { item: self.quoted(), column, bytes: text.len() });
        }
        let what = match text.chars().find(|c| c.is_control()) {
            None => return Ok(()),
            Some('\t') => "a tab".to_owned(),
            Some('\n' | '\r') => "a line break".to_owned(),
            Some(other) => format!("the control character U+{:04X}", u32::from(other)),
        };
        Err(TableError::Unwritable { item: self.quoted(), column, what })
    }

    /// `activity "Samarbete Almedalen"`, cut short where it is long.
    fn quoted(&self) -> String {
        let mut short: String = self.title.chars().take(60).collect();
        if short.len() < self.title.len() {
            short.push('…');
        }
        format!("{} {short:?}", self.what)
    }

    /// `the activity from line 12`, for one that has no title to quote.
    fn located(&self) -> String {
        match self.line {
            Some(line) => format!("the {} from line {line}", self.what),
            None => format!("the {} without a title", self.what),
        }
    }
}
