//! Tables in and out.

mod export;
mod proposals;
mod said;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

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
use radslag_core::view;
use radslag_table::{DIALECT, DIALECT_CSV, DIALECT_JSON, Layout, Row, Sheet, Table, TableError};
use serde_json::json;

pub use self::export::export;
pub use self::said::about;
use super::Place;
use super::writing::say_queued;
use crate::args::Import;
use crate::error::CliError;
use crate::ui::{Lang, Ui};

/// The most events that belong together; a larger table is cut into several groups.
const GROUP: usize = 450;
const GROUP_BYTES: usize = 200 * 1024;

/// A file that was read, with its digest.
pub struct Source {
    /// What it says, as a programme begins with it.
    pub table: Table,
    /// The same as entries, to be compared with a programme.
    sheet: Sheet,
    dialect: &'static str,
    digest: Digest,
}

/// Reads a table; a bad one changes nothing.
pub fn read_file(path: &Path) -> Result<Source, CliError> {
    let bytes = fs::read(path).map_err(|source| CliError::File { path: path.to_owned(), source })?;
    let digest = Digest::of(&bytes);
    let refused = |error: TableError| {
        let why = std::error::Error::source(&error).map_or(String::new(), |why| format!(": {why}"));
        let what = format!("{}: {error}{why}", path.display());
        CliError::refused(what, "nothing was imported; mend the file and try again")
    };
    let (sheet, dialect) = match extension(path).as_str() {
        "csv" | "txt" => (radslag_table::read_csv(&bytes).map_err(refused)?, DIALECT_CSV),
        "json" => (radslag_table::read_json(&bytes).map_err(refused)?, DIALECT_JSON),
        "xlsx" | "xls" | "ods" => {
            return Err(CliError::refused(
                format!("{}: spreadsheets' own files are not read", path.display()),
                "save it as CSV in the spreadsheet (in UTF-8 where it asks), and import that",
            ));
        }
        _ => {
            let table = radslag_table::read(&bytes).map_err(refused)?;
            return Ok(Source { sheet: Sheet::of(&table), table, dialect: DIALECT, digest });
        }
    };
    Ok(Source { table: sheet.to_table(), sheet, dialect, digest })
}

/// A file's extension in small letters; empty where it has none.
fn extension(path: &Path) -> String {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase()
}

/// `import`.
pub fn import(place: &Place, args: &Import) -> Result<(), CliError> {
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
    about(ui, &source);
    if filled {
        return proposals::import(place, replica, &source, args);
    }
    if args.dry_run {
        said::everything_new(ui, &source)?;
        return Ok(replica.close()?);
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
        let mut drafts = vec![imported(source, &table.layout, self.import)];
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

/// That a file was taken in, so that nobody does it twice.
fn imported(source: &Source, layout: &Layout, event: EventId) -> Draft {
    let mut draft = Draft::new(Change::SourceImported { dialect: source.dialect.to_owned() })
        .with_value(Slot::FILE_DIGEST, source.digest.bytes().to_vec())
        .with_value(Slot::FILE_LAYOUT, layout.encode());
    draft.event = Some(event);
    draft
}

/// A title stands even where it is empty.
fn text(draft: Draft, slot: Slot, text: &str) -> Draft {
    draft.with_value(slot, text.as_bytes().to_vec())
}
