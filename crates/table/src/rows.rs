//! What a table says: its title and its rows, text by text as they stand.

use radslag_core::event::PartyKind;
use radslag_core::parse::cost::{Cost, CostError, parse_cost};
use radslag_core::parse::responsible::{NamedParty, parse_responsible};
use radslag_core::parse::time::{Timing, parse_time};

use crate::columns::Column;
use crate::export::{ExportActivity, ExportArea, ExportProgram, ExportSubgoal};
use crate::layout::Layout;
use crate::propose::as_cost;

/// One row. Texts stand as in the file, with their spaces; lines are physical lines, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A heading. The area of the rows below it.
    Area {
        /// Its line.
        line: u32,
        /// The name.
        title: String,
        /// The main goal, when the heading has a ` - `.
        goal: Option<String>,
    },
    /// A sub-goal on a line of its own.
    Subgoal {
        /// Its line.
        line: u32,
        /// The title.
        title: String,
    },
    /// An activity.
    Activity {
        /// Its line.
        line: u32,
        /// The sub-goal that starts on this line; none when it is the same as above.
        subgoal: Option<String>,
        /// The title.
        title: String,
        /// Who is responsible.
        responsible: String,
        /// When.
        time: String,
        /// What it costs, as written.
        cost: String,
        /// Comment.
        comment: String,
    },
}

impl Row {
    /// The physical line, from 1.
    pub const fn line(&self) -> u32 {
        match self {
            Self::Area { line, .. } | Self::Subgoal { line, .. } | Self::Activity { line, .. } => *line,
        }
    }

    /// The parties that an activity's responsible cell names, with what it suggests about them.
    pub fn responsible_parties(&self) -> Vec<NamedParty> {
        match self {
            Self::Activity { responsible, .. } => parse_responsible(responsible),
            Self::Area { .. } | Self::Subgoal { .. } => Vec::new(),
        }
    }

    /// An activity's cost; none when the cell is blank, which means unknown. What is not understood has no amount.
    pub fn parsed_cost(&self) -> Option<Cost> {
        match self {
            Self::Activity { cost, .. } if !cost.trim().is_empty() => Some(as_cost(cost)),
            Self::Activity { .. } | Self::Area { .. } | Self::Subgoal { .. } => None,
        }
    }
}

/// A cell whose text is kept as it stands, because it does not say an amount or a time that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnderstood {
    /// The line, from 1.
    pub line: u32,
    /// The column.
    pub column: Column,
    /// The text.
    pub text: String,
    /// What is wrong with what looks like an amount.
    pub why: Option<CostError>,
}

/// A table that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The programme's title, when the file has one.
    pub title: Option<String>,
    /// The rows, in the file's order. The first is an area; an activity has a sub-goal above it or in it.
    pub rows: Vec<Row>,
    /// What an export needs besides.
    pub layout: Layout,
}

impl Table {
    /// Every party that a responsible cell names, in order of first mention: name, proposed kind, proposed
    /// organisation. Two people of one name in two municipalities are two parties.
    pub fn parties(&self) -> Vec<(String, PartyKind, Option<String>)> {
        let mut parties: Vec<NamedParty> = Vec::new();
        for row in &self.rows {
            for party in row.responsible_parties() {
                if !parties.iter().any(|known| known.is(&party)) {
                    parties.push(party);
                }
            }
        }
        parties.into_iter().map(|party| (party.name, party.kind, party.organisation)).collect()
    }

    /// The cells whose texts say nothing but themselves: they count in no sum and sort nowhere, and nothing of them is lost.
    pub fn not_understood(&self) -> Vec<NotUnderstood> {
        let mut found = Vec::new();
        for row in &self.rows {
            let Row::Activity { line, time, cost, .. } = row else { continue };
            let mut add = |column, text: &str, why| {
                found.push(NotUnderstood { line: *line, column, text: text.to_owned(), why });
            };
            if !time.trim().is_empty() && parse_time(time) == Timing::Unknown {
                add(Column::Time, time, None);
            }
            match parse_cost(cost) {
                Ok(read) if read.amount.is_none() && !cost.trim().is_empty() => add(Column::Cost, cost, None),
                Ok(_) => {}
                Err(error) => add(Column::Cost, cost, Some(error)),
            }
        }
        found
    }

    /// The programme as the table has it: what [`write`](fn@crate::write) turns back into the same bytes.
    pub fn to_export(&self) -> ExportProgram {
        let title = self.title.clone().unwrap_or_default();
        let mut areas: Vec<ExportArea> = Vec::new();
        for row in &self.rows {
            match row {
                Row::Area { line, title, goal } => areas.push(ExportArea {
                    source_line: Some(*line),
                    title: title.clone(),
                    goal: goal.clone(),
                    subgoals: Vec::new(),
                }),
                Row::Subgoal { line, title } => add_subgoal(&mut areas, *line, title),
                Row::Activity { line, subgoal, title, responsible, time, cost, comment } => {
                    if let Some(subgoal) = subgoal {
                        add_subgoal(&mut areas, *line, subgoal);
                    }
                    let activity = ExportActivity {
                        source_line: Some(*line),
                        title: title.clone(),
                        responsible: responsible.clone(),
                        time: time.clone(),
                        cost: cost.clone(),
                        comment: comment.clone(),
                    };
                    add_activity(&mut areas, activity);
                }
            }
        }
        ExportProgram { title, areas }
    }
}

fn add_subgoal(areas: &mut [ExportArea], line: u32, title: &str) {
    if let Some(area) = areas.last_mut() {
        let title = title.to_owned();
        area.subgoals.push(ExportSubgoal { source_line: Some(line), title, activities: Vec::new() });
    }
}

fn add_activity(areas: &mut [ExportArea], activity: ExportActivity) {
    if let Some(subgoal) = areas.last_mut().and_then(|area| area.subgoals.last_mut()) {
        subgoal.activities.push(activity);
    }
}
