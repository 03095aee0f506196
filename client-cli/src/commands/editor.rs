//! A text as a person leaves it in their editor.

use std::fs;
use std::process::Command;

use crate::error::CliError;
use crate::ui::Ui;

/// Opens `before` in `$VISUAL` or `$EDITOR` and gives what is saved. `name` tells the file apart, `otherwise` is what to run
/// where there is no editor, `instead` where it was left.
pub fn edited(ui: Ui, name: &str, before: &str, otherwise: &str, instead: &str) -> Result<String, CliError> {
    let set = |name| std::env::var(name).ok().filter(|editor| !editor.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR"));
    let editor = editor.ok_or_else(|| {
        CliError::refused("there is no editor", format!("set EDITOR, or give the value: {otherwise}"))
    })?;
    let path = std::env::temp_dir().join(format!("radslag-{name}.txt"));
    let failed = |source| CliError::File { path: path.clone(), source };
    fs::write(&path, before).map_err(failed)?;
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let ended = Command::new(program).args(words).arg(&path).status();
    let after = fs::read_to_string(&path);
    // A copy of what was typed is left to nobody.
    let _ = fs::remove_file(&path);
    if !ended.map_err(failed)?.success() {
        return Err(CliError::refused(
            ui.text("redigeraren avbröts; ingenting är köat", "the editor was left; nothing is queued"),
            instead,
        ));
    }
    Ok(after.map_err(failed)?.trim_end_matches(['\r', '\n']).to_owned())
}
