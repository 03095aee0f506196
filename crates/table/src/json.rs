//! The programme as a JSON file: areas with their sub-goals and activities, ids and amounts, for programs that read it or hand
//! it back changed. `docs/json.md` ("export") has the keys.

use radslag_core::id::EntityId;
use radslag_core::parse::cost::{Cost, format_ore, parse_cost};
use radslag_core::view::ProgramView;
use serde_json::{Map, Value as Json, json};

use crate::error::TableError;
use crate::sheet::{ActivityTexts, Entry, Sheet, What, heading};
use crate::{MAX_FILE_BYTES, MAX_LINES};

/// What the first key says.
const FORMAT: &str = "radslag-program/1";

/// Keys that are read; what else stands in a file is for programs alone and may change without changing the programme.
const SAID: [&str; 4] = ["responsible_ids", "lead", "lead_id", "format"];

/// Writes a programme. `base` is what whoever reads the file has seen.
pub fn write_json(program: EntityId, view: &ProgramView, base: &str) -> Vec<u8> {
    let name =
        |id: EntityId| view.parties.iter().find(|party| party.id == id).map(|party| party.name.clone());
    let cost = |cost: &Cost| match &cost.amount {
        Some(amount) => json!({"ore": amount.ore, "currency": amount.currency, "raw": cost.raw}),
        None => json!({"ore": null, "currency": null, "raw": cost.raw}),
    };
    let mut areas = Vec::new();
    for area in &view.areas {
        let mut subgoals = Vec::new();
        for subgoal in &area.subgoals {
            let activities = subgoal.activities.iter().map(|activity| {
                json!({
                    "id": activity.id.to_string(), "title": activity.title,
                    "responsible": activity.responsible_text,
                    "responsible_ids": activity.responsible.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "lead": activity.lead.and_then(name), "lead_id": activity.lead.map(|lead| lead.to_string()),
                    "time": activity.time, "cost": activity.cost.as_ref().map(cost), "comment": activity.comment,
                })
            });
            let activities: Vec<Json> = activities.collect();
            subgoals.push(
                json!({"id": subgoal.id.to_string(), "title": subgoal.title, "activities": activities}),
            );
        }
        areas.push(json!({
            "id": area.id.to_string(), "title": area.title, "goal": area.goal, "subgoals": subgoals,
        }));
    }
    let whole = json!({
        "format": FORMAT, "id": program.to_string(), "title": view.title, "base": base, "areas": areas,
    });
    format!("{whole:#}\n").into_bytes()
}

/// Reads what [`write_json`] wrote, perhaps changed since.
///
/// # Errors
/// It is no JSON, or not in that shape; the message says where.
pub fn read_json(bytes: &[u8]) -> Result<Sheet, TableError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(TableError::FileTooLarge { bytes: bytes.len() });
    }
    let whole: Json = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let mut reader = Reader { sheet: Sheet::default() };
    let root = Object::of("the file", &whole)?;
    if root.text("format")?.is_some_and(|format| format != FORMAT) {
        return Err(wrong(format!("\"format\" is not {FORMAT:?}")));
    }
    reader.sheet.base = root.text("base")?;
    if let Some(title) = root.text("title")? {
        reader.add(root.id()?, None, What::Title(title))?;
    }
    reader.unread(&root, &["id", "title", "base", "areas"]);
    for area in root.list("areas", "area")? {
        reader.area(&area)?;
    }
    Ok(reader.sheet)
}

fn wrong(why: String) -> TableError {
    TableError::Json { why }
}

/// An object of the file with its place in words.
struct Object<'a> {
    place: String,
    keys: &'a Map<String, Json>,
}

impl<'a> Object<'a> {
    fn of(place: &str, value: &'a Json) -> Result<Self, TableError> {
        match value {
            Json::Object(keys) => Ok(Self { place: place.to_owned(), keys }),
            _ => Err(wrong(format!("{place} is not an object"))),
        }
    }

    fn text(&self, key: &str) -> Result<Option<String>, TableError> {
        match self.keys.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => {
                let control = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
                match control {
                    Some(control) => Err(wrong(format!("\"{key}\" of {} holds {control:?}", self.place))),
                    None => Ok(Some(text.replace("\r\n", "\n").replace('\r', "\n"))),
                }
            }
            Some(_) => Err(wrong(format!("\"{key}\" of {} is not a text", self.place))),
        }
    }

    fn title(&self) -> Result<String, TableError> {
        let title = self.text("title")?.filter(|title| !title.trim().is_empty());
        title.ok_or_else(|| wrong(format!("{} has no \"title\"", self.place)))
    }

    fn id(&self) -> Result<Option<EntityId>, TableError> {
        let Some(text) = self.text("id")? else { return Ok(None) };
        let id = text.parse().map_err(|_| wrong(format!("\"id\" of {} is no id: {text:?}", self.place)))?;
        Ok(Some(id))
    }

    fn list(&self, key: &str, what: &str) -> Result<Vec<Object<'a>>, TableError> {
        let list = match self.keys.get(key) {
            None | Some(Json::Null) => return Ok(Vec::new()),
            Some(Json::Array(list)) => list,
            Some(_) => return Err(wrong(format!("\"{key}\" of {} is not a list", self.place))),
        };
        let of = if self.place == "the file" { String::new() } else { format!(" of {}", self.place) };
        let objects = list.iter().enumerate();
        objects.map(|(at, value)| Object::of(&format!("{what} {}{of}", at + 1), value)).collect()
    }

    /// What it costs as a text; an amount alone is written out, and one that says two things is refused.
    fn cost(&self) -> Result<Option<String>, TableError> {
        let Some(value) = self.keys.get("cost") else { return Ok(None) };
        let Json::Object(keys) = value else {
            return match value {
                Json::Null => Ok(Some(String::new())),
                Json::Number(number) => Ok(Some(number.to_string())),
                _ => self.text("cost"),
            };
        };
        let amount = keys.get("ore").and_then(Json::as_i64);
        let raw = keys.get("raw").and_then(Json::as_str);
        let read = raw.and_then(|raw| parse_cost(raw).ok()?.amount);
        match (raw, amount) {
            (Some(raw), Some(ore)) if read.as_ref().is_none_or(|read| read.ore == ore) => {
                Ok(Some(raw.to_owned()))
            }
            (Some(_), Some(_)) => Err(wrong(format!(
                "\"ore\" and \"raw\" in the cost of {} differ; change both, or leave one out",
                self.place
            ))),
            (Some(raw), None) => Ok(Some(raw.to_owned())),
            (None, Some(ore)) => Ok(Some(format_ore(ore))),
            (None, None) => Err(wrong(format!("the cost of {} has neither \"raw\" nor \"ore\"", self.place))),
        }
    }
}

struct Reader {
    sheet: Sheet,
}

impl Reader {
    fn add(&mut self, id: Option<EntityId>, parent: Option<usize>, what: What) -> Result<usize, TableError> {
        let at = self.sheet.entries.len();
        if at == MAX_LINES {
            return Err(TableError::TooManyLines);
        }
        let line = u32::try_from(at + 1).unwrap_or(u32::MAX);
        self.sheet.entries.push(Entry { line, id, implied: false, parent, what });
        Ok(at)
    }

    fn area(&mut self, area: &Object<'_>) -> Result<(), TableError> {
        let text = heading(&area.title()?, area.text("goal")?.as_deref());
        let at = self.add(area.id()?, None, What::Area(text))?;
        self.unread(area, &["id", "title", "goal", "subgoals"]);
        for subgoal in area.list("subgoals", "sub-goal")? {
            let parent = self.add(subgoal.id()?, Some(at), What::Subgoal(subgoal.title()?))?;
            self.unread(&subgoal, &["id", "title", "activities"]);
            for activity in subgoal.list("activities", "activity")? {
                self.activity(&activity, parent)?;
            }
        }
        Ok(())
    }

    fn activity(&mut self, activity: &Object<'_>, parent: usize) -> Result<(), TableError> {
        // A key that is there and null says that the field is empty, one that is not there says nothing.
        let given = |key: &str| -> Result<Option<String>, TableError> {
            let text = activity.text(key)?;
            Ok(activity.keys.contains_key(key).then(|| text.unwrap_or_default()))
        };
        let texts = ActivityTexts {
            title: activity.title()?,
            responsible: given("responsible")?,
            time: given("time")?,
            cost: activity.cost()?,
            comment: given("comment")?,
        };
        self.add(activity.id()?, Some(parent), What::Activity(texts))?;
        self.unread(activity, &["id", "title", "responsible", "time", "cost", "comment"]);
        Ok(())
    }

    fn unread(&mut self, object: &Object<'_>, read: &[&str]) {
        for key in object.keys.keys() {
            let known = read.contains(&key.as_str()) || SAID.contains(&key.as_str());
            if !known && !self.sheet.unread.contains(key) {
                self.sheet.unread.push(key.clone());
            }
        }
    }
}
