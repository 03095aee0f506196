//! Two municipalities change the same cost without having seen each other, and one of them decides.
//!
//!     cargo run -p radslag-client --example two_offices
//!
//! runs it against a server in this process; with an address after `--`, against the one there, which takes new programmes and
//! devices while it listens on loopback. Everything else that a program does with a replica is done with the same few calls: open it,
//! look at a view, make drafts from the view, queue them in sight of it, and sync whenever there is a server.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use radslag_client::DeviceKey;
use radslag_client::author::Act;
use radslag_client::clock::{IdSource as _, SystemClock, SystemIds};
use radslag_client::remote::Remote;
use radslag_client::replica::Replica;
use radslag_client::settings::Settings;
use radslag_core::command::{self, Choice, Draft, Edit, To};
use radslag_core::event::Change;
use radslag_core::field::FieldKey;
use radslag_core::history::Told;
use radslag_core::id::{EntityId, ProgramId};
use radslag_core::parse::cost::parse_cost;
use radslag_core::value::Slot;
use radslag_core::view::{self, FieldValue};

type Done<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
#[allow(dead_code, clippy::print_stdout, reason = "the example's own output; its test has it said elsewhere")]
async fn main() -> Done<()> {
    let dir = tempfile::tempdir()?;
    let mut say = |line: String| println!("{line}");
    if let Some(server) = std::env::args().nth(1) {
        return two_offices(&server, dir.path(), &mut say).await;
    }
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = radslag_server::Config {
        data: dir.path().join("server"),
        listen,
        ..radslag_server::Config::default()
    };
    let running = radslag_server::start(config).await?;
    let told = two_offices(&format!("http://{}", running.addr()), dir.path(), &mut say).await;
    running.shutdown().await;
    told
}

/// The whole story, in folders beneath `dir`.
pub(crate) async fn two_offices(server: &str, dir: &Path, say: &mut impl FnMut(String)) -> Done<()> {
    let remote = Remote::connect(server).await?;
    let (mut haninge, activity) = begin(&remote, &dir.join("haninge")).await?;
    let program = haninge.settings.program;
    let mut huddinge = join(&remote, &dir.join("huddinge"), program, "huddinge", "Anna").await?;
    say(format!("both offices are at position {}", huddinge.ledger.state.head()));

    // Nothing here asks the server.
    set_cost(&mut haninge, activity, "50 000 kr", "offert")?;
    set_cost(&mut huddinge, activity, "60 000 kr", "budget")?;
    say(format!("haninge reads {}, huddinge reads {}", cost(&haninge, activity), cost(&huddinge, activity)));

    // Whoever comes first is recorded as it is, whoever comes later stands beside it.
    haninge.sync(&remote, |_, _| {}).await?;
    huddinge.sync(&remote, |_, _| {}).await?;
    haninge.pull(&remote, |_, _| {}).await?;
    for line in sides(&haninge) {
        say(format!("in conflict: {line}"));
    }

    decide(&mut huddinge, "haninge", "offerten gäller")?;
    huddinge.sync(&remote, |_, _| {}).await?;
    haninge.pull(&remote, |_, _| {}).await?;
    say(format!("decided: {}", cost(&haninge, activity)));
    for line in told(&haninge, activity)? {
        say(line);
    }

    // From the first record on, without the server; then whether it has the same.
    let verified = haninge.verify()?;
    let compared = haninge.compare(&verified, &remote).await?;
    say(format!("all {} records verify, and the server's log is: {compared:?}", verified.position));
    haninge.close()?;
    huddinge.close()?;
    Ok(())
}

/// A programme with one activity, begun by Haninge.
async fn begin(remote: &Remote, dir: &Path) -> Done<(Replica, EntityId)> {
    let hello = remote.hello("").await?;
    let log_key = <[u8; 32]>::try_from(hello.log_key).map_err(|_| "the server has no log key")?;
    let program = ProgramId::new(SystemIds.random_id());
    let mut replica = make(remote, dir, program, "haninge", "Håkan")?;
    replica.found("Klimatprogram", log_key)?;
    let [area, subgoal, activity] = [(); 3].map(|()| EntityId::new(SystemIds.random_id()));
    // The first among siblings; `command::order_key` gives the place of the next.
    let order_key = || "i".to_owned();
    let added = [
        (Change::AreaAdded { area, order_key: order_key(), source: None }, "Energi"),
        (Change::SubgoalAdded { subgoal, area, order_key: order_key(), source: None }, "Mer sol"),
        (
            Change::ActivityAdded {
                activity,
                subgoal,
                order_key: order_key(),
                responsible: Vec::new(),
                lead: None,
                source: None,
            },
            "Solceller på skoltak",
        ),
    ];
    let drafts = added.map(|(change, title)| Draft::new(change).with_text(Slot::TITLE, title));
    // Grouped: all of it lands or nothing.
    replica.queue(replica.base(), drafts.into(), &Act::default(), true)?;
    replica.create(remote, |_, _| {}).await?;
    Ok((replica, activity))
}

/// A replica of a programme that is there, enrolled.
async fn join(remote: &Remote, dir: &Path, program: ProgramId, org: &str, name: &str) -> Done<Replica> {
    let mut replica = make(remote, dir, program, org, name)?;
    replica.pull(remote, |_, _| {}).await?;
    replica.introduce()?;
    let tally = replica.sync(remote, |_, _| {}).await?;
    tally.refused.map_or(Ok(replica), |why| Err(why.into()))
}

fn make(remote: &Remote, dir: &Path, program: ProgramId, org: &str, name: &str) -> Done<Replica> {
    let settings = Settings::fresh(remote.server(), program, org.parse()?, name, &SystemIds);
    let key = DeviceKey::from_seed(SystemIds.random32());
    Ok(Replica::make(dir, &settings, &key, Arc::new(SystemClock), Arc::new(SystemIds))?)
}

/// Queues a new cost, by somebody who sees what the replica shows now.
fn set_cost(replica: &mut Replica, activity: EntityId, text: &str, reason: &str) -> Done<()> {
    let edit = Edit { field: FieldKey::Cost, to: To::Cost(parse_cost(text)?) };
    let view = replica.view();
    let drafts = command::revise(&view.state, &view, view.day(), activity, &[edit])?;
    // What was looked at, not what is there when it is saved: `Replica::form` keeps it for an editor that stays open.
    let base = view.base;
    drop(view);
    replica.queue(base, drafts, &Act { reason: Some(reason.to_owned()), decision: None }, false)?;
    Ok(())
}

fn cost(replica: &Replica, activity: EntityId) -> String {
    let view = replica.view();
    let program = view::program(&view.state, &view, view.day());
    let found = program.activities().find(|(.., one)| one.id == activity);
    found.and_then(|(.., one)| one.cost.as_ref().map(|cost| cost.raw.clone())).unwrap_or_default()
}

/// What every open conflict is about, side by side.
fn sides(replica: &Replica) -> Vec<String> {
    let view = replica.view();
    let conflicts = view::conflicts(&view.state);
    let sides =
        conflicts.iter().flat_map(|conflict| conflict.sides.iter().map(|side| (conflict.field, *side)));
    sides
        .map(|(field, side)| format!("{} at {}", shown(field, &side.content, &view), side.position))
        .collect()
}

/// Lets the side of one organisation stand.
fn decide(replica: &mut Replica, org: &str, reason: &str) -> Done<()> {
    let view = replica.view();
    let conflicts = view::conflicts(&view.state);
    let conflict = conflicts.first().ok_or("nothing is in conflict")?;
    let of = |device| view.state.devices().get(device).map(|device| device.org.as_str());
    let side = conflict.sides.iter().find(|side| of(&side.device) == Some(org)).ok_or("no side is theirs")?;
    let draft = command::resolve(conflict, &Choice::Take(side.event))?;
    let base = view.base;
    drop(conflicts);
    drop(view);
    replica.queue(base, vec![draft], &Act { reason: Some(reason.to_owned()), decision: None }, false)?;
    Ok(())
}

/// Who changed the cost, in the order of the log.
fn told(replica: &Replica, activity: EntityId) -> Done<Vec<String>> {
    let view = replica.view();
    let changes = replica.changes_of(&view, activity, Told::AsRecorded, replica.ledger.state.head())?;
    let costs = changes.iter().filter(|change| change.field == FieldKey::Cost);
    Ok(costs
        .map(|change| {
            let after =
                change.after.as_ref().map_or("–".to_owned(), |content| shown(change.field, content, &view));
            format!("{} {} {}: {after}", change.position, change.org, change.kind)
        })
        .collect())
}

fn shown(
    field: FieldKey,
    content: &radslag_core::register::Content,
    view: &radslag_client::replica::View<'_>,
) -> String {
    match view::field_value(field, content, view) {
        Some(FieldValue::Money(cost)) => cost.raw,
        Some(other) => format!("{other:?}"),
        None => "–".to_owned(),
    }
}
