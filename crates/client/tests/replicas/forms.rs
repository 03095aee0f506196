//! Forms that stay open: what is written in them has seen what they show, whatever became of the replica meanwhile.

use std::sync::Arc;

use radslag_client::ClientError;
use radslag_client::author::Act;
use radslag_client::clock::{Clock, SystemClock, SystemIds};
use radslag_client::form::{Form, UnfitForm};
use radslag_client::replica::{Replica, View};
use radslag_core::as_of;
use radslag_core::command::{self, Choice, CommandError, Draft, Edit, To};
use radslag_core::digest::Digest;
use radslag_core::field::FieldKey;
use radslag_core::id::EventId;
use radslag_core::time::{CivilDate, Instant};
use radslag_core::verdict::Refusal;
use radslag_core::view;

use crate::desk::{begun, joined, queue, retitle, serve, sync};

const TITLE: FieldKey = FieldKey::Title;

fn shown(view: &View<'_>) -> String {
    view::title(&view.state, view, view.state.program_id().into(), view.day())
}

/// Gives the programme a title in a form.
fn write(replica: &mut Replica, form: &Form, title: &str) -> Result<Vec<EventId>, ClientError> {
    let view = replica.view_of(form)?;
    let edit = Edit { field: TITLE, to: To::Text(title.to_owned()) };
    let program = view.state.program_id().into();
    let drafts = command::revise(&view.state, &view, view.day(), program, &[edit])?;
    let base = view.base;
    drop(view);
    replica.queue(base, drafts, &Act::default(), false)
}

fn sides(replica: &Replica) -> Vec<EventId> {
    let view = replica.view();
    let register = view.state.register(view.state.program_id().into(), TITLE).unwrap();
    register.sides(view.day(), view.state.epochs()).into_iter().map(|side| side.event).collect()
}

fn unfit(error: ClientError) -> UnfitForm {
    match error {
        ClientError::Form(unfit) => unfit,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_form_shows_what_was_shown_when_it_was_opened_however_that_landed() {
    let (dir, data, mut haninge) = begun().await;
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let empty = haninge.form();
    let one = retitle(&haninge, "Ett");
    queue(&mut haninge, vec![one]).unwrap();
    let early = haninge.form();
    let two = retitle(&haninge, "Två");
    queue(&mut haninge, vec![two]).unwrap();
    let late = haninge.form();
    let hash = haninge.view().state.hash();

    // All of it lands behind what somebody else was faster with.
    let mut huddinge = joined(&dir, &remote, haninge.settings.program).await;
    let other = retitle(&huddinge, "Noll");
    queue(&mut huddinge, vec![other]).unwrap();
    sync(&mut huddinge, &remote).await;
    sync(&mut haninge, &remote).await;
    assert_eq!(haninge.outbox.len(), 0);
    for (form, title) in [(&empty, "Program"), (&early, "Ett"), (&late, "Två")] {
        assert_eq!(shown(&haninge.view_of(form).unwrap()), title);
    }
    let view = haninge.view_of(&late).unwrap();
    assert_eq!((view.state.hash(), view.queued.len()), (hash, 2));
    drop(view);

    // The same in a process that comes later.
    let dir = haninge.dir.clone();
    haninge.close().unwrap();
    let haninge = Replica::open(&dir, Arc::new(SystemClock), Arc::new(SystemIds)).unwrap();
    let again: Form = late.to_string().parse().unwrap();
    assert_eq!((again, haninge.view_of(&again).unwrap().state.hash()), (late, hash));
    running.shutdown().await;
}

/// The machine's clock, so many days ahead.
struct Ahead(i32);

impl Clock for Ahead {
    fn now(&self) -> Instant {
        Instant::from_micros(SystemClock.now().micros() + i64::from(self.0) * 86_400_000_000)
    }
}

#[tokio::test]
async fn a_day_between_the_last_record_and_today_is_read_as_it_was_with_something_queued() {
    let (_dir, data, mut haninge) = begun().await;
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let today = haninge.view().day();
    let day = |days| CivilDate::from_days(today.days() + days).unwrap();
    let later = Draft { effective_on: Some(day(5)), ..retitle(&haninge, "Från dag fem") };
    queue(&mut haninge, vec![later]).unwrap();
    sync(&mut haninge, &remote).await;
    running.shutdown().await;
    let dir = haninge.dir.clone();
    haninge.close().unwrap();
    let mut haninge = Replica::open(&dir, Arc::new(Ahead(10)), Arc::new(SystemIds)).unwrap();
    let edit = retitle(&haninge, "Från dag tio");
    queue(&mut haninge, vec![edit]).unwrap();
    let shown_for = |days| {
        let view = haninge.view_for(Some(day(days))).unwrap();
        view::title(&view.state, &view, view.state.program_id().into(), day(days))
    };
    assert_eq!(
        [0, 4, 5, 9, 10].map(shown_for),
        ["Program", "Program", "Från dag fem", "Från dag fem", "Från dag tio"]
    );
}

#[tokio::test]
async fn two_windows_of_one_replica_conflict_with_each_other_and_a_third_settles_it() {
    let (_dir, data, mut haninge) = begun().await;
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let (one, two) = (haninge.form(), haninge.form());
    let first = write(&mut haninge, &one, "Ett").unwrap()[0];
    sync(&mut haninge, &remote).await;
    let second = write(&mut haninge, &two, "Två").unwrap()[0];
    assert_eq!(sides(&haninge), [first, second]);
    // One field says already what the second window is told to write; for its author it does not.
    let same = write(&mut haninge, &one, "Ett").unwrap()[0];
    assert_eq!(sides(&haninge), [first, second, same]);
    let nothing = write(&mut haninge, &one, "Program").unwrap_err();
    assert!(matches!(nothing, ClientError::Command(CommandError::NothingToChange)), "{nothing}");
    sync(&mut haninge, &remote).await;
    assert_eq!(view::conflicts(&haninge.ledger.state).len(), 1);
    let form = haninge.form();
    let settled = write(&mut haninge, &form, "Tre").unwrap()[0];
    assert_eq!(sides(&haninge), [settled]);
    sync(&mut haninge, &remote).await;
    assert_eq!(view::conflicts(&haninge.ledger.state).len(), 0);
    running.shutdown().await;
}

#[tokio::test]
async fn a_resolution_written_in_an_older_form_leaves_the_side_that_came_since() {
    let (_dir, data, mut haninge) = begun().await;
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let window = haninge.form();
    write(&mut haninge, &window, "Ett").unwrap();
    write(&mut haninge, &window, "Två").unwrap();
    sync(&mut haninge, &remote).await;
    let form = haninge.form();
    let third = write(&mut haninge, &window, "Tre").unwrap()[0];
    sync(&mut haninge, &remote).await;

    let view = haninge.view_of(&form).unwrap();
    let [conflict] = &view::conflicts(&view.state)[..] else { panic!("one conflict") };
    assert_eq!(conflict.sides.len(), 2);
    let draft = command::resolve(conflict, &Choice::Take(conflict.sides[0].event)).unwrap();
    let base = view.base;
    drop(view);
    let settled = haninge.queue(base, vec![draft], &Act::default(), false).unwrap()[0];
    assert_eq!(sides(&haninge), [third, settled]);
    running.shutdown().await;
}

#[tokio::test]
async fn a_form_that_was_not_opened_here_is_refused_with_the_reason() {
    let (dir, data, mut haninge) = begun().await;
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let huddinge = joined(&dir, &remote, haninge.settings.program).await;
    sync(&mut haninge, &remote).await;
    assert_eq!(unfit(huddinge.base_of(&haninge.form()).unwrap_err()), UnfitForm::NotShownHere);
    let (_other_dir, _, other) = begun().await;
    let error = unfit(haninge.base_of(&other.form()).unwrap_err());
    assert!(matches!(error, UnfitForm::OtherProgram { .. }), "{error}");

    // A queued change that was given up: its number is another change now.
    let one = retitle(&haninge, "Ett");
    let one = queue(&mut haninge, vec![one]).unwrap();
    let form = haninge.form();
    assert_eq!(haninge.base_of(&form).unwrap(), haninge.base());
    haninge.discard_queued(&one).unwrap();
    assert_eq!(unfit(haninge.base_of(&form).unwrap_err()), UnfitForm::NotShownHere);
    let two = retitle(&haninge, "Två");
    queue(&mut haninge, vec![two]).unwrap();
    assert_eq!(unfit(haninge.view_of(&form).err().unwrap()), UnfitForm::NotShownHere);
    sync(&mut haninge, &remote).await;
    let three = retitle(&haninge, "Tre");
    queue(&mut haninge, vec![three]).unwrap();
    sync(&mut haninge, &remote).await;
    assert_eq!(unfit(haninge.base_of(&form).unwrap_err()), UnfitForm::NotShownHere);

    running.shutdown().await;
}

/// The text of a form with other parts, as somebody would make it by hand.
fn forged(form: &Form, change: impl FnOnce(&mut Vec<String>)) -> Form {
    let mut parts: Vec<String> = form.to_string().split('.').map(str::to_owned).collect();
    parts.pop();
    change(&mut parts);
    let said = parts.join(".");
    let check = Digest::of(said.as_bytes()).to_string();
    format!("{said}.{}", &check[..4]).parse().unwrap()
}

#[tokio::test]
async fn a_base_that_no_replica_hands_out_is_refused() {
    let (_dir, data, mut haninge) = begun().await;
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let one = retitle(&haninge, "Ett");
    queue(&mut haninge, vec![one]).unwrap();
    sync(&mut haninge, &remote).await;
    running.shutdown().await;
    let form = haninge.form();
    assert_eq!(forged(&form, |_| ()), form);
    let (head, seq) = (haninge.ledger.state.head(), haninge.base().seq);
    let error = |form: Form| haninge.base_of(&form).unwrap_err();

    let ahead = forged(&form, |parts| parts[0] = head.next().to_string());
    assert_eq!(unfit(error(ahead)), UnfitForm::Ahead { position: head.next(), head });
    let later = forged(&form, |parts| parts[1] = seq.next().to_string());
    assert_eq!(unfit(error(later)), UnfitForm::NotShownHere);
    let epoch = forged(&form, |parts| parts.push("e5f60718".to_owned()));
    assert!(matches!(unfit(error(epoch)), UnfitForm::UnknownEpoch(_)));
    // It names an own change without what that change had seen.
    let open = forged(&form, |parts| parts[0] = "1".to_owned());
    let ClientError::WouldBeRefused(refusal) = error(open) else { panic!("it is not closed") };
    assert!(matches!(*refusal, Refusal::ViewNotClosed { .. }), "{refusal}");
}

#[tokio::test]
async fn a_form_on_an_earlier_point_has_seen_no_more() {
    let (_dir, data, mut haninge) = begun().await;
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let begin = haninge.state_at(as_of::Recorded::Head).unwrap();
    let form = haninge.form_as_of(&begin);
    let one = retitle(&haninge, "Ett");
    let one = queue(&mut haninge, vec![one]).unwrap()[0];
    sync(&mut haninge, &remote).await;
    running.shutdown().await;
    assert_eq!(shown(&haninge.view_of(&form).unwrap()), "Program");
    let two = write(&mut haninge, &form, "Två").unwrap()[0];
    assert_eq!(sides(&haninge), [one, two]);
}
