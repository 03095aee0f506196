//! Names of things: how an entity, event, side or conflict is found by what a person types.

use radslag_core::id::EntityId;
use radslag_core::parse::nfc;
use radslag_core::state::{EntityKind, State};
use radslag_core::time::CivilDate;
use radslag_core::value::Values;
use radslag_core::view;

use crate::error::CliError;

/// The entity of one of `kinds` that `name` means: an id or a unique beginning or end of one, a title, or the beginning of
/// one. An exact title wins over a beginning.
pub fn entity(
    state: &State,
    values: &dyn Values,
    day: CivilDate,
    kinds: &[EntityKind],
    name: &str,
) -> Result<EntityId, CliError> {
    let wanted = nfc(name).to_lowercase();
    let mut exact = Vec::new();
    let mut beginning = Vec::new();
    for (id, found) in state.entities().filter(|(_, entity)| kinds.contains(&entity.kind)) {
        let title = view::title(state, values, id, day);
        let folded = nfc(&title).to_lowercase();
        let hex = id.uuid().simple().to_string();
        let by_id = means(name, &hex);
        if folded == wanted || (by_id && wanted.replace('-', "").len() == 32) {
            exact.push((id, found.kind, title));
        } else if by_id || (!wanted.is_empty() && folded.starts_with(&wanted)) {
            beginning.push((id, found.kind, title));
        }
    }
    let candidates = if exact.is_empty() { beginning } else { exact };
    let living: Vec<_> = candidates.iter().filter(|(id, ..)| state.lives(*id, day)).cloned().collect();
    let candidates = if living.is_empty() { candidates } else { living };
    match candidates.as_slice() {
        [] => Err(unknown(kinds, name)),
        [(id, ..)] => Ok(*id),
        several => {
            let list: Vec<String> = several
                .iter()
                .take(12)
                .map(|(id, kind, title)| format!("  {}  {}  {title}", front(*id), kind.name()))
                .collect();
            Err(CliError::refused(
                format!("{name:?} means {} things:\n{}", several.len(), list.join("\n")),
                "name it by the digits in front, or write more of the title",
            ))
        }
    }
}

fn unknown(kinds: &[EntityKind], name: &str) -> CliError {
    let kind = if let [kind] = kinds { kind.name() } else { "entry" };
    CliError::refused(
        format!("there is no {kind} {name:?} in the programme"),
        "radslag show --rows lists what there is",
    )
}

/// The first eight digits of an entity's id, as lists print it.
pub fn front(id: EntityId) -> String {
    let text = id.uuid().simple().to_string();
    text[..8].to_owned()
}

/// Whether what was typed are digits of this id: its last or its first ones, four at least.
pub fn means(typed: &str, hex: &str) -> bool {
    let digits = typed.to_lowercase().replace('-', "");
    let shaped = digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    shaped && (hex.ends_with(&digits) || hex.starts_with(&digits))
}

/// The one of `ids` that ends (or begins) with the digits that were typed.
pub fn by_digits<'a, T>(
    what: &str,
    typed: &str,
    ids: impl Iterator<Item = (String, &'a T)>,
) -> Result<&'a T, CliError> {
    let found: Vec<(String, &T)> = ids.filter(|(hex, _)| means(typed, hex)).collect();
    match found.as_slice() {
        [(_, one)] => Ok(one),
        [] => Err(CliError::refused(
            format!("there is no {what} {typed:?}"),
            "name it by the eight digits that lists print",
        )),
        several => {
            let list: Vec<&str> = several.iter().map(|(hex, _)| hex.as_str()).collect();
            Err(CliError::refused(
                format!("{typed:?} means {} of them: {}", several.len(), list.join(", ")),
                "write more digits",
            ))
        }
    }
}
