//! What a server says of a programme that one has no replica of: its shape and its sums, not verified.

use radslag_proto::api::v1::{GetProgramRequest, Standing};

use crate::error::ClientError;
use crate::remote::Remote;

/// A programme as a server tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its id.
    pub program_id: String,
    /// Its title.
    pub title: String,
    /// The last record.
    pub position: u64,
    /// The day that it is read for; empty when it has no record.
    pub effective_on: String,
    /// Areas in order: the heading, and how many sub-goals and activities in force stand in it.
    pub areas: Vec<(String, usize, usize)>,
    /// Öre, where every conflict takes its least and its greatest amount.
    pub cost: (i64, i64),
    /// Activities without an amount.
    pub missing: u32,
    /// Open conflicts.
    pub conflicts: usize,
    /// The parties that it names.
    pub parties: Vec<String>,
    /// The points that have a name, with their positions.
    pub baselines: Vec<(String, u64)>,
    /// SHA-256 of the folded state, hexadecimal.
    pub state_hash: String,
}

impl Remote {
    /// One programme as the server has it now.
    ///
    /// # Errors
    /// The server has no such programme, declines, or has gone.
    pub async fn program(&self, program_id: &str) -> Result<Served, ClientError> {
        let request = GetProgramRequest { program_id: program_id.to_owned(), as_of: None };
        let answer = self.programs().get_program(request).await;
        let answer = answer.map_err(|status| self.declined(status))?.into_inner();
        let (program, basis) = (answer.program.unwrap_or_default(), answer.basis.unwrap_or_default());
        let in_force = |standing: i32| standing == i32::from(Standing::InForce);
        let area = |area: radslag_proto::api::v1::Area| {
            let heading = match area.goal.as_deref() {
                Some(goal) => format!("{} - {goal}", area.title),
                None => area.title,
            };
            let subgoals = area.subgoals.iter().filter(|one| in_force(one.standing)).count();
            let activities = area.subgoals.iter().flat_map(|one| &one.activities);
            in_force(area.standing)
                .then(|| (heading, subgoals, activities.filter(|one| in_force(one.standing)).count()))
        };
        let cost = program.cost.unwrap_or_default();
        let named =
            |one: radslag_proto::api::v1::Baseline| (one.name, one.basis.unwrap_or_default().position);
        Ok(Served {
            program_id: program.program_id,
            title: program.title,
            position: basis.position,
            effective_on: basis.effective_on,
            areas: program.areas.into_iter().filter_map(area).collect(),
            cost: (cost.low_ore, cost.high_ore),
            missing: cost.missing,
            conflicts: program.conflicts.len(),
            parties: program.parties.into_iter().map(|party| party.name).collect(),
            baselines: program.baselines.into_iter().map(named).collect(),
            state_hash: program.state_hash,
        })
    }
}
