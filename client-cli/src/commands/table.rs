//! Tables in and out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use radslag_client::author::Act;
use radslag_client::replica::Replica;
use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::{Change, Source as From};
use radslag_core::id::{EntityId, EventId};
use radslag_core::order;
use radslag_core::parse::nfc;
use radslag_core::parse::responsible::NamedParty;
use radslag_core::state::EntityKind;
use radslag_core::value::{Slot, Values as _};
use radslag_core::view::{self, ProgramView, Standing};
use radslag_table::{ExportActivity, ExportArea, ExportProgram, ExportSubgoal, Layout, Row, Table};
use serde_json::json;

use super::writing::say_queued;
use super::{Place, point};
use crate::args::{Export, Import};
use crate::error::CliError;
use crate::ui::{Lang, Ui};

/// How the only dialect of this release is named in the log.
const DIALECT: &str = "tsv/1";
/// The most events that belong together; a larger table is cut into several groups.
const GROUP: usize = 450;
const GROUP_BYTES: usize = 200 * 1024;

/// A table that was read, with the digest of its file.
pub struct Source {
    /// What it says.
    pub table: Table,
    digest: Digest,
}

/// Reads a table; a bad one changes nothing.
pub fn read_file(path: &Path) -> Result<Source, CliError> {
    let bytes = fs::read(path).map_err(|source| CliError::File { path: path.to_owned(), source })?;
    let table = radslag_table::read(&bytes).map_err(|error| {
        let why = std::error::Error::source(&error).map_or(String::new(), |why| format!(": {why}"));
        let what = format!("{}: {error}{why}", path.display());
        CliError::refused(what, "nothing was imported; mend the file and try again")
    })?;
    Ok(Source { table, digest: Digest::of(&bytes) })
}

/// `import`.
pub fn import(place: &Place, args: &Import) -> Result<(), CliError> {
    if args.dry_run {
        return Err(super::not_yet("--dry-run"));
    }
    let source = read_file(&args.file)?;
    let mut replica = place.open()?;
    let ui = place.ui;
    if let Some(import) = imported_before(&replica, &source) {
        if ui.json() {
            return ui.object(&json!({"already_imported": true, "import": import.to_string(), "queued": []}));
        }
        ui.tell("redan importerad: ingenting registrerat", "already imported: nothing recorded")?;
        return Ok(replica.close()?);
    }
    let view = replica.view();
    let filled = view.state.entities().any(|(_, entity)| entity.kind == EntityKind::Area);
    drop(view);
    if filled {
        return Err(CliError::refused(
            "the programme has content already; a changed table as proposed edits is not in this release",
            "radslag edit changes a row; radslag program create --import begins a programme with this table",
        ));
    }
    let events = queue_import(ui, &mut replica, &source)?;
    say_queued(ui, &replica, &events, None)?;
    Ok(replica.close()?)
}

fn imported_before(replica: &Replica, source: &Source) -> Option<EventId> {
    let view = replica.view();
    let same = |at| view.bytes(at).is_some_and(|bytes| bytes == source.digest.bytes());
    view.state.imports().iter().find(|import| same(import.digest)).map(|import| import.event)
}

/// Queues everything that a table says.
pub fn queue_import(ui: Ui, replica: &mut Replica, source: &Source) -> Result<Vec<EventId>, CliError> {
    let drafts = Plan::new(replica).drafts(source);
    let base = replica.base();
    let mut events = Vec::new();
    for group in groups(drafts) {
        let grouped = group.len() > 1;
        events.extend(replica.queue(base_of(replica, base), group, &Act::default(), grouped)?);
    }
    propose(ui, &source.table);
    Ok(events)
}

/// Later groups have the earlier ones in view.
fn base_of(replica: &Replica, first: radslag_core::event::Base) -> radslag_core::event::Base {
    radslag_core::event::Base { seq: replica.base().seq, ..first }
}

/// What was inferred about people is said, not recorded.
fn propose(ui: Ui, table: &Table) {
    for (name, _, organisation) in table.parties() {
        if let Some(organisation) = organisation {
            ui.say(&match ui.lang {
                Lang::Sv => format!("förslag: {name} hör till {organisation}   (radslag party edit {name:?} --organisation {organisation:?})"),
                Lang::En => format!("proposal: {name} belongs to {organisation}   (radslag party edit {name:?} --organisation {organisation:?})"),
            });
        }
    }
}

fn groups(drafts: Vec<Draft>) -> Vec<Vec<Draft>> {
    let mut groups = vec![Vec::new()];
    let mut bytes = 0;
    for draft in drafts {
        let size = 600 + draft.values.iter().map(|(_, value)| value.len() + 60).sum::<usize>();
        let open = groups.last_mut().expect("there is always an open group");
        if open.len() >= GROUP || (!open.is_empty() && bytes + size > GROUP_BYTES) {
            groups.push(vec![draft]);
            bytes = size;
        } else {
            open.push(draft);
            bytes += size;
        }
    }
    groups
}

/// Ids for everything that an import adds.
struct Plan<'a> {
    replica: &'a Replica,
    import: EventId,
    /// By name and proposed organisation: two people of one name in two municipalities are two parties.
    parties: BTreeMap<(String, Option<String>), EntityId>,
}

fn key(party: &NamedParty) -> (String, Option<String>) {
    (nfc(&party.name), party.organisation.as_deref().map(nfc))
}

impl<'a> Plan<'a> {
    fn new(replica: &'a Replica) -> Self {
        let import = EventId::new(replica.ids.event_id(replica.clock.now()));
        let view = replica.view();
        let program = view::program(&view.state, &view, view.day());
        let known = program.parties.iter().map(|party| ((nfc(&party.name), None), party.id));
        Self { replica, import, parties: known.collect() }
    }

    fn id(&self) -> EntityId {
        EntityId::new(self.replica.ids.random_id())
    }

    fn drafts(mut self, source: &Source) -> Vec<Draft> {
        let table = &source.table;
        let imported = Draft::new(Change::SourceImported { dialect: DIALECT.to_owned() });
        let mut first = imported
            .with_value(Slot::FILE_DIGEST, source.digest.bytes().to_vec())
            .with_value(Slot::FILE_LAYOUT, table.layout.encode());
        first.event = Some(self.import);
        let mut drafts = vec![first];
        for row in &table.rows {
            for party in row.responsible_parties() {
                if !self.parties.contains_key(&key(&party)) {
                    let id = self.id();
                    self.parties.insert(key(&party), id);
                    let source = Some(From { import: self.import, line: row.line() });
                    let added =
                        Change::PartyAdded { party: id, kind: party.kind, organisation: None, source };
                    drafts.push(Draft::new(added).with_text(Slot::NAME, &party.name));
                }
            }
        }
        self.rows(table, &mut drafts);
        drafts
    }

    fn rows(&self, table: &Table, drafts: &mut Vec<Draft>) {
        let program = EntityId::from(self.replica.settings.program);
        let keys = order::spread(table.rows.len());
        let (mut area, mut subgoal) = (program, program);
        for (row, order_key) in table.rows.iter().zip(keys) {
            let source = Some(From { import: self.import, line: row.line() });
            match row {
                Row::Area { title, goal, .. } => {
                    area = self.id();
                    let added = Draft::new(Change::AreaAdded { area, order_key, source });
                    let goal = goal.as_deref().unwrap_or_default();
                    drafts.push(text(added, Slot::TITLE, title).with_text(Slot::GOAL, goal));
                }
                Row::Subgoal { title, .. } => {
                    subgoal = self.id();
                    let added = Draft::new(Change::SubgoalAdded { subgoal, area, order_key, source });
                    drafts.push(text(added, Slot::TITLE, title));
                }
                Row::Activity { subgoal: starts, title, responsible, time, comment, .. } => {
                    if let Some(title) = starts {
                        subgoal = self.id();
                        let key = order_key.clone();
                        let added =
                            Draft::new(Change::SubgoalAdded { subgoal, area, order_key: key, source });
                        drafts.push(text(added, Slot::TITLE, title));
                    }
                    let added = Change::ActivityAdded {
                        activity: self.id(),
                        subgoal,
                        order_key,
                        responsible: self.responsible(row),
                        lead: None,
                        source,
                    };
                    let mut draft = text(Draft::new(added), Slot::TITLE, title)
                        .with_text(Slot::TIME, time)
                        .with_text(Slot::COMMENT, comment)
                        .with_text(Slot::RESPONSIBLE_TEXT, responsible);
                    if let Some(cost) = row.parsed_cost() {
                        draft = draft.with_value(Slot::COST, cost.to_value_bytes());
                    }
                    drafts.push(draft);
                }
            }
        }
    }

    fn responsible(&self, row: &Row) -> Vec<EntityId> {
        let named = row.responsible_parties();
        let mut ids: Vec<EntityId> =
            named.iter().filter_map(|party| self.parties.get(&key(party)).copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// A title stands even where it is empty.
fn text(draft: Draft, slot: Slot, text: &str) -> Draft {
    draft.with_value(slot, text.as_bytes().to_vec())
}

/// `export`.
pub fn export(place: &Place, args: &Export) -> Result<(), CliError> {
    match args.to.extension().and_then(|extension| extension.to_str()) {
        Some("tsv") => {}
        Some("csv" | "json" | "xlsx") => return Err(super::not_yet("export to csv, json and xlsx")),
        _ => {
            return Err(CliError::usage(format!(
                "--to {}: name a file that ends in .tsv",
                args.to.display()
            )));
        }
    }
    let replica = place.open()?;
    let view = replica.view();
    let point = point::at(place, &replica, &view, &args.at)?;
    let program = view::program(&point.state, &view, point.day);
    let import = point.state.imports().first().copied();
    let layout =
        import.and_then(|import| view.bytes(import.layout)).map(|bytes| Layout::decode(&bytes)).transpose();
    let layout =
        layout.map_err(|error| CliError::Unverified(format!("the layout of the imported table: {error}")))?;
    let exported = to_export(&program, import.map(|import| import.event));
    let bytes = radslag_table::write(layout.as_ref(), &exported).map_err(|error| {
        CliError::refused(
            error.to_string(),
            "nothing was written; change the text with radslag edit and export again",
        )
    })?;
    write_whole(&args.to, &bytes)?;
    let ui = place.ui;
    let left_out = left_out(&program);
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
            "effective_on": point.day.to_string(), "base_token": point.form.to_string(),
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
    ui.say(&match ui.lang {
        Lang::Sv => format!("det som ändras utifrån tabellen: radslag edit … --base {}", point.form),
        Lang::En => {
            format!("for what is changed after reading the table: radslag edit … --base {}", point.form)
        }
    });
    Ok(())
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

/// A table has no place for flags: what is not in force is left out, unless something in force stands in it.
fn stands(standing: Standing, empty: bool) -> bool {
    standing == Standing::InForce || !empty
}

/// How many activities a table leaves out, because they are not in force yet.
fn left_out(program: &ProgramView) -> usize {
    program.activities().filter(|(.., activity)| matches!(activity.standing, Standing::NotYet(_))).count()
}

fn to_export(program: &ProgramView, import: Option<EventId>) -> ExportProgram {
    let line = |source: Option<From>| {
        source.filter(|source| Some(source.import) == import).map(|source| source.line)
    };
    let activity = |activity: &view::ActivityView| ExportActivity {
        source_line: line(activity.source),
        title: activity.title.clone(),
        responsible: activity.responsible_text.clone(),
        time: activity.time.clone().unwrap_or_default(),
        cost: activity.cost.as_ref().map(radslag_core::parse::cost::Cost::display).unwrap_or_default(),
        comment: activity.comment.clone().unwrap_or_default(),
    };
    let in_force = |activity: &&view::ActivityView| activity.standing == Standing::InForce;
    let subgoal = |subgoal: &view::SubgoalView| {
        let activities: Vec<_> = subgoal.activities.iter().filter(in_force).map(activity).collect();
        let stands = stands(subgoal.standing, activities.is_empty());
        let (source_line, title) = (line(subgoal.source), subgoal.title.clone());
        stands.then_some(ExportSubgoal { source_line, title, activities })
    };
    let area = |area: &view::AreaView| {
        let subgoals: Vec<_> = area.subgoals.iter().filter_map(subgoal).collect();
        let stands = stands(area.standing, subgoals.is_empty());
        let (source_line, title, goal) = (line(area.source), area.title.clone(), area.goal.clone());
        stands.then_some(ExportArea { source_line, title, goal, subgoals })
    };
    ExportProgram { title: program.title.clone(), areas: program.areas.iter().filter_map(area).collect() }
}
