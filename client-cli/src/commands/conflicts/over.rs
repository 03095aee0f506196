//! A conflict that is over: who ended it, when, with what. Found by walking the log, and only when somebody names it.

use radslag_client::replica::{Replica, View};
use radslag_core::history::{Contests, Ended};
use radslag_core::value::Slot;
use radslag_core::view;

use crate::commands::ground;
use crate::commands::past::records;
use crate::error::CliError;
use crate::names;
use crate::shape::Ground;
use crate::ui::{Lang, Ui};
use crate::when;

/// Why the conflict that is named cannot be settled any more; none where there never was one of that name.
pub(super) fn over(
    ui: Ui,
    replica: &Replica,
    view: &View<'_>,
    name: &str,
) -> Result<Option<CliError>, CliError> {
    let mut state = replica.origin();
    let mut contests = Contests::begin(&state);
    let mut ended: Vec<Ended> = Vec::new();
    for record in records(replica, view)? {
        let over = contests.step(&mut state, &record).into_iter();
        ended.extend(over.filter(|ended| names::means(name, &ended.id.to_string())));
    }
    let over = contests.turn_to(&state, view.day()).into_iter();
    ended.extend(over.filter(|ended| names::means(name, &ended.id.to_string())));
    if ended.is_empty() {
        return Ok(None);
    }
    let named = ended.iter().map(|ended| (ended.id.to_string(), ended));
    let ended = names::by_digits("conflict", name, named)?;
    let what = words(ui, &ground(view), ended, view);
    Ok(Some(CliError::refused(what, hint(ui, view, ended))))
}

fn words(ui: Ui, ground: &Ground<'_>, ended: &Ended, view: &View<'_>) -> String {
    let (id, title, field) = (ended.id.short(), ground.title(ended.entity), ground.field(ui, ended.field));
    let Some(by) = &ended.by else {
        let on = ended.on;
        return match ui.lang {
            Lang::Sv => format!(
                "det finns ingen öppen konflikt {id}: {title:?}, {field}, upphörde senast {on} när ett värde började gälla"
            ),
            Lang::En => format!(
                "there is no open conflict {id}: {title:?}, {field}, was over by {on}, when a value came to apply"
            ),
        };
    };
    let value = ground.text(ui, by.field, Some(&by.written));
    let at = if by.position > view.confirmed {
        ui.text("i kö", "queued").to_owned()
    } else {
        when::local(by.recorded_at)
    };
    let mut said = vec![at, format!("{} {}", ui.text("händelse", "event"), by.event.short())];
    said.extend(ground.beside(by.event, Slot::REASON));
    let (who, said) = (format!("{}, {}", by.org, ground.member(by.member)), said.join(", "));
    match (ui.lang, by.conflict_after) {
        (Lang::Sv, false) => format!(
            "det finns ingen öppen konflikt {id}: {title:?}, {field}, avgjordes av {who} med {value}   ({said})"
        ),
        (Lang::En, false) => format!(
            "there is no open conflict {id}: {title:?}, {field}, was settled by {who} with {value}   ({said})"
        ),
        (Lang::Sv, true) => format!(
            "det finns ingen öppen konflikt {id}: {title:?}, {field}, har andra sidor sedan {who} skrev {value}   ({said})"
        ),
        (Lang::En, true) => format!(
            "there is no open conflict {id}: {title:?}, {field}, has had other sides since {who} wrote {value}   ({said})"
        ),
    }
}

/// Where to look now: the field's own conflict where it is in one again, else its history.
fn hint(ui: Ui, view: &View<'_>, ended: &Ended) -> String {
    let (entity, field) = (ended.entity, ended.field);
    let open = view::conflicts_at(&view.state, view.day());
    let again = open.iter().find(|conflict| (conflict.entity, conflict.field) == (entity, field));
    match (ui.lang, again) {
        (_, None) => format!("radslag history {:?}", ground(view).title(entity)),
        (Lang::Sv, Some(now)) => format!("radslag conflicts (fältet är nu i konflikt {})", now.id.short()),
        (Lang::En, Some(now)) => {
            format!("radslag conflicts (the field is in conflict {} now)", now.id.short())
        }
    }
}
