//! What is said of a file that comes back: every change, what others did meanwhile, what is missing, and how many of each.

use radslag_core::field::FieldKey;
use serde_json::{Value as Json, json};

use super::super::{Source, said};
use super::{Item, Kind, Plan};
use crate::error::CliError;
use crate::ui::{Lang, Ui};

/// How many of each; what there is nothing of is left out, but for what is new and revised.
pub(super) fn counts(ui: Ui, plan: &Plan) -> String {
    let open = |kind| plan.items.iter().filter(|item| item.kind == kind && !item.already).count();
    let already = plan.items.iter().filter(|item| item.already).count();
    let conflicts = plan.items.iter().filter(|item| item.meanwhile.is_some() && !item.already).count();
    let counted = [
        (open(Kind::Added), "nya", "new"),
        (open(Kind::Revised), "ändrade", "revised"),
        (open(Kind::Moved), "flyttade", "moved"),
        (plan.parties.len(), "nya parter", "new parties"),
        (conflicts, "har andra ändrat under tiden", "changed by others meanwhile"),
        (already, "gäller redan", "apply already"),
        (plan.missing.len(), "saknas i filen och står kvar", "are not in the file and stay"),
    ];
    let said = counted.iter().enumerate().filter(|(at, (count, ..))| *at < 2 || *count > 0);
    let said = said.map(|(_, (count, sv, en))| format!("{count} {}", ui.text(sv, en)));
    said.collect::<Vec<_>>().join(", ")
}

pub(super) fn meanwhile_text(ui: Ui, item: &Item) -> String {
    let Some((value, who)) = &item.meanwhile else { return String::new() };
    match ui.lang {
        Lang::Sv => format!("nu {value} ({who}): blir en konflikt"),
        Lang::En => format!("now {value} ({who}): becomes a conflict"),
    }
}

/// `--dry-run`: every change, and that nothing was written.
pub(super) fn say(ui: Ui, source: &Source, plan: &Plan) -> Result<(), CliError> {
    if ui.json() {
        return ui.object(&json(source, plan));
    }
    let headings = match ui.lang {
        Lang::Sv => ["rad", "ändring", "vad", "fält", "före", "efter"],
        Lang::En => ["line", "change", "what", "field", "before", "after"],
    };
    let row = |item: &Item| {
        let field = item.field.map_or("", |field| crate::shape::field_name(ui, field));
        let under = if item.kind == Kind::Added { ui.text("under ", "under ") } else { "" };
        let dash = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
        let note = match (item.already, item.meanwhile.is_some()) {
            (true, _) => format!("  [{}]", ui.text("gäller redan", "applies already")),
            (false, true) => format!("  [{}]", meanwhile_text(ui, item)),
            (false, false) => String::new(),
        };
        let before = if item.kind == Kind::Added { String::new() } else { dash(&item.before) };
        vec![
            item.line.to_string(),
            item.kind.text(ui).to_owned(),
            item.what.clone(),
            field.to_owned(),
            before,
            format!("{under}{}{note}", dash(&item.after)),
        ]
    };
    if !plan.items.is_empty() {
        let rows: Vec<Vec<String>> = plan.items.iter().map(row).collect();
        ui.table(&headings, &rows)?;
        ui.line("")?;
    }
    for (party, _) in &plan.parties {
        ui.line(&format!("{}: {}", ui.text("ny part", "new party"), party.name))?;
    }
    for missing in &plan.missing {
        let said = ui.text("saknas i filen, står kvar", "not in the file, stays");
        ui.line(&format!("{said}: {}  {}", crate::names::front(missing.entity), missing.title))?;
    }
    ui.line(&format!("{}: {}", ui.text("ingenting skrivet", "nothing written"), counts(ui, plan)))
}

fn json(source: &Source, plan: &Plan) -> Json {
    let item = |item: &Item| {
        json!({
            "line": item.line, "change": item.kind.name(), "entity_id": item.entity.to_string(), "title": item.what,
            "field": item.field.map(FieldKey::name), "before": item.before, "after": item.after,
            "already": item.already,
            "meanwhile": item.meanwhile.as_ref().map(|(value, who)| json!({"value": value, "by": who})),
        })
    };
    let mut answer = said::about_json(source);
    answer["dry_run"] = json!(true);
    answer["changes"] = plan.items.iter().map(item).collect();
    answer["parties"] = plan.parties.iter().map(|(party, _)| json!(party.name)).collect();
    answer["missing"] = plan
        .missing
        .iter()
        .map(|missing| json!({"entity_id": missing.entity.to_string(), "title": missing.title}))
        .collect();
    answer
}
