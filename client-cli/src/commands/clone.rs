//! `clone`: a server's programme, ready to use. What `init` does, in a folder of its own, for the programme that is meant.

use std::path::{Path, PathBuf};

use radslag_client::remote::Remote;
use radslag_core::id::ProgramId;
use radslag_core::parse::nfc;
use radslag_core::view;
use serde_json::json;

use super::setup::{join, joined_json, program_id, say_joined};
use super::show::summary;
use crate::args::CloneArgs;
use crate::error::CliError;
use crate::ui::Ui;

/// `clone`.
pub async fn clone(ui: Ui, args: CloneArgs) -> Result<(), CliError> {
    let program = wanted(&args.join.server, args.join.ca.as_deref(), args.program.as_deref()).await?;
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.join.org));
    let replica = join(ui, &args.join, program, &dir).await?;
    let view = replica.view();
    let shown = view::program(&view.state, &view, view.day());
    if ui.json() {
        let mut object = joined_json(&replica);
        object["title"] = json!(shown.title);
        object["replica"] = json!(dir.display().to_string());
        ui.object(&object)?;
    } else {
        say_joined(ui, &replica)?;
        ui.line(&format!("{}: {}", shown.title, summary(ui, &shown)))?;
        let replica = dir.display();
        ui.say(&format!("{}: radslag --replica {replica} show", ui.text("nästa", "next")));
    }
    drop(view);
    Ok(replica.close()?)
}

/// The programme that is meant: by its id, by its title or the beginning of it, or the only one that the server has.
pub async fn wanted(server: &str, ca: Option<&Path>, named: Option<&str>) -> Result<ProgramId, CliError> {
    if let Some(id) = named.and_then(|name| name.parse().ok()) {
        return Ok(id);
    }
    let all = Remote::connect_trusting(server, ca).await?.list_programs().await?;
    let found: Vec<&(String, String, u64)> = match named {
        None => all.iter().collect(),
        Some(name) => called(&all, name),
    };
    match found.as_slice() {
        [(id, ..)] => program_id(id),
        [] if all.is_empty() => Err(CliError::refused(
            format!("{server} has no programme yet"),
            format!("radslag program create --server {server} begins one"),
        )),
        [] => Err(CliError::refused(
            format!("{server} has no programme {:?}", named.unwrap_or_default()),
            format!("radslag program list --server {server}"),
        )),
        several => {
            let lines: Vec<String> =
                several.iter().map(|(id, title, _)| format!("  {id}  {title}")).collect();
            Err(CliError::refused(
                format!("{server} has {} such programmes:\n{}", several.len(), lines.join("\n")),
                "say which: --program ID",
            ))
        }
    }
}

/// The programmes that a name means: an exact title wins over the beginning of a title or an id.
fn called<'a>(all: &'a [(String, String, u64)], name: &str) -> Vec<&'a (String, String, u64)> {
    let folded = |text: &str| nfc(text).to_lowercase();
    let name = folded(name);
    let exact: Vec<_> = all.iter().filter(|(_, title, _)| folded(title) == name).collect();
    if !exact.is_empty() {
        return exact;
    }
    let begins = |id: &str, title: &str| id.starts_with(&name) || folded(title).starts_with(&name);
    all.iter().filter(|(id, title, _)| !name.is_empty() && begins(id, title)).collect()
}
