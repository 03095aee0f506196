//! Beginning: a programme on a server, a replica for an organisation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use radslag_client::clock::{IdSource as _, SystemClock, SystemIds};
use radslag_client::remote::Remote;
use radslag_client::replica::Replica;
use radslag_client::settings::{FOLDER, Settings, key_path};
use radslag_client::{ClientError, DeviceKey};
use radslag_core::id::{OrgId, ProgramId};
use radslag_core::parse::nfc_eq;
use radslag_core::view::CostSum;
use serde_json::{Value as Json, json};

use crate::args::{Init, Join, ProgramCreate, ProgramShow};
use crate::commands::{edit, provisional, table};
use crate::error::CliError;
use crate::shape::sum_text;
use crate::ui::{Lang, Ui};

/// `program create`.
pub async fn program_create(ui: Ui, args: ProgramCreate) -> Result<(), CliError> {
    // The table is read before anything is made, so that a bad one leaves nothing behind.
    let source = args.import.as_deref().map(table::read_file).transpose()?;
    source.iter().for_each(|source| table::about(ui, source));
    let given = args.title.as_deref().map(|title| edit::title("--title", title)).transpose()?;
    let title = given.or_else(|| source.as_ref().and_then(|source| source.table.title.clone()));
    let title = title.unwrap_or_else(|| "Utvecklingsprogram".to_owned());
    let org: OrgId = args.org.parse().map_err(|error| CliError::usage(format!("--org: {error}")))?;
    let name = args.member.as_deref().map(|name| edit::title("--member", name)).transpose()?;
    let name = name.or_else(login_name).unwrap_or_else(|| "kansli".to_owned());
    let remote = Remote::connect_trusting(&args.server, args.ca.as_deref()).await?;
    let hello = remote.hello("").await?;
    let log_key: [u8; 32] = hello.log_key.as_slice().try_into().map_err(|_| ClientError::NotOurServer {
        server: args.server.clone(),
        what: "it has no log key".to_owned(),
    })?;
    let ids = SystemIds;
    let program = ProgramId::new(ids.random_id());
    let dir = args.dir.clone().map_or_else(|| home().map(|home| home.join(program.to_string())), Ok)?;
    let ca = kept_ca(&args.server, args.ca.as_deref())?;
    let settings = Settings { ca, ..Settings::fresh(&args.server, program, org.clone(), &name, &ids) };
    let key = DeviceKey::from_seed(ids.random32());
    let mut replica = Replica::make(&dir, &settings, &key, Arc::new(SystemClock), Arc::new(SystemIds))?;
    let begun = begin(ui, &mut replica, &remote, &title, log_key, source.as_ref()).await;
    let position = replica.ledger.state.head().get();
    let events = replica.outbox.len();
    replica.close()?;
    if let Err(error) = begun {
        // Nothing was recorded: a folder without a programme would only be in the way. But a server that went away in the
        // middle may have begun the programme, and then this is the only key to it.
        let unclear = matches!(error, CliError::Client(ClientError::NoAnswer { .. }));
        if position == 0 && !unclear {
            discard(&dir);
        } else {
            ui.say(&format!("{}: {}", ui.text("kvar i", "kept in"), dir.display()));
        }
        return Err(error);
    }
    if ui.json() {
        return ui.object(&json!({
            "program_id": program.to_string(), "title": title, "position": position, "outbox": events,
            "replica": dir.display().to_string(), "org": org.to_string(), "member": name,
        }));
    }
    ui.say(&format!(
        "{}: {}",
        ui.text("nyckeln ligger i", "the key is in"),
        key_path(&dir.join(FOLDER)).display()
    ));
    ui.line(&format!("{program}  {title}"))?;
    let ca = settings.ca.map(|ca| format!(" --ca {}", ca.display())).unwrap_or_default();
    ui.say(&format!(
        "{}: radslag init --server {}{ca} --program {program} --org ORG --member NAME DIR",
        ui.text("nästa", "next"),
        args.server
    ));
    Ok(())
}

async fn begin(
    ui: Ui,
    replica: &mut Replica,
    remote: &Remote,
    title: &str,
    log_key: [u8; 32],
    source: Option<&table::Source>,
) -> Result<(), CliError> {
    replica.found(title, log_key)?;
    if let Some(source) = source {
        table::queue_import(ui, replica, source)?;
    }
    let tally = replica.create(remote, |at, of| ui.progress(at, of)).await?;
    if let Some(refused) = tally.refused.or_else(|| tally.rejections.first().cloned()) {
        return Err(CliError::Refused {
            what: format!("the server did not take the programme: {refused}"),
            hint: None,
        });
    }
    Ok(())
}

/// Takes away the folder of a replica that never held anything.
fn discard(dir: &Path) {
    // What cannot be removed is found again by the next attempt, which says so.
    let _ = std::fs::remove_dir_all(dir.join(FOLDER));
    let _ = std::fs::remove_dir(dir);
}

/// Where replicas without a folder of their own are kept.
fn home() -> Result<PathBuf, CliError> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = set("RADSLAG_HOME")
        .or_else(|| set("XDG_DATA_HOME").map(|data| data.join("radslag")))
        .or_else(|| set("APPDATA").map(|data| data.join("radslag")))
        .or_else(|| set("HOME").map(|home| home.join(".local/share/radslag")));
    home.ok_or_else(|| {
        CliError::refused(
            "there is no place for the key",
            "set RADSLAG_HOME, or name a folder: radslag program create … DIR",
        )
    })
}

fn login_name() -> Option<String> {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|name| !name.is_empty())
}

/// `program list`.
pub async fn program_list(ui: Ui, server: &str, ca: Option<&Path>) -> Result<(), CliError> {
    let remote = Remote::connect_trusting(server, ca).await?;
    let mut rows = Vec::new();
    for (program_id, title, position) in remote.list_programs().await? {
        if ui.json() {
            ui.object(&json!({"program_id": program_id, "title": title, "position": position}))?;
        }
        rows.push(vec![program_id, title, position.to_string()]);
    }
    if ui.json() {
        return Ok(());
    }
    ui.table(&["id", ui.text("titel", "title"), "position"], &rows)
}

/// `program show`.
pub async fn program_show(ui: Ui, args: &ProgramShow) -> Result<(), CliError> {
    let program = super::clone::wanted(&args.server, args.ca.as_deref(), args.program.as_deref()).await?;
    let shown = Remote::connect_trusting(&args.server, args.ca.as_deref())
        .await?
        .program(&program.to_string())
        .await?;
    let count = |of: fn(&(String, usize, usize)) -> usize| shown.areas.iter().map(of).sum::<usize>();
    let (headings, subgoals, activities) = (shown.areas.len(), count(|area| area.1), count(|area| area.2));
    if ui.json() {
        return ui.object(&json!({
            "program_id": shown.program_id, "title": shown.title, "position": shown.position,
            "effective_on": shown.effective_on,
            "headings": headings, "subgoals": subgoals, "activities": activities,
            "cost": {"sum_ore": shown.cost.0, "low_ore": shown.cost.0, "high_ore": shown.cost.1, "missing": shown.missing},
            "conflicts": shown.conflicts, "parties": shown.parties.len(),
            "baselines": shown.baselines.iter().map(|(name, at)| json!({"name": name, "position": at})).collect::<Vec<_>>(),
            "state_hash": shown.state_hash,
        }));
    }
    ui.line(&format!("{}  {}", shown.program_id, shown.title))?;
    ui.line(&format!(
        "position {}; {} {}",
        shown.position,
        ui.text("gäller", "in force on"),
        shown.effective_on
    ))?;
    ui.line("")?;
    let headings_of = match ui.lang {
        Lang::Sv => ["område", "delmål", "aktiviteter"],
        Lang::En => ["area", "sub-goals", "activities"],
    };
    let row = |(area, subgoals, activities): &(String, usize, usize)| {
        vec![area.clone(), subgoals.to_string(), activities.to_string()]
    };
    ui.table(&headings_of, &shown.areas.iter().map(row).collect::<Vec<_>>())?;
    ui.line("")?;
    let sum = sum_text(&CostSum { low: shown.cost.0, high: shown.cost.1, ..CostSum::default() });
    let (missing, conflicts, parties) = (shown.missing, shown.conflicts, shown.parties.len());
    ui.line(&match ui.lang {
        Lang::Sv => format!("{headings} rubriker, {subgoals} delmål, {activities} aktiviteter, {sum}; {missing} av {activities} aktiviteter saknar kostnad"),
        Lang::En => format!("{headings} headings, {subgoals} sub-goals, {activities} activities, {sum}; {missing} of {activities} activities lack a cost"),
    })?;
    ui.line(&match ui.lang {
        Lang::Sv => format!("{parties} parter, {conflicts} öppna konflikter"),
        Lang::En => format!("{parties} parties, {conflicts} open conflicts"),
    })?;
    for (name, at) in &shown.baselines {
        ui.line(&format!("{}: {name}  @{at}", ui.text("namngiven punkt", "named point")))?;
    }
    // Nothing of it was checked: that takes a replica.
    ui.say(&match ui.lang {
        Lang::Sv => format!("det här säger servern; en replika kontrollerar det: radslag clone --server {} --program {} --org ORG --member NAMN", args.server, shown.program_id),
        Lang::En => format!("this is what the server says; a replica verifies it: radslag clone --server {} --program {} --org ORG --member NAME", args.server, shown.program_id),
    });
    Ok(())
}

/// `init`.
pub async fn init(ui: Ui, args: Init) -> Result<(), CliError> {
    let program = program_id(&args.program)?;
    let replica = join(ui, &args.join, program, &args.dir).await?;
    if ui.json() {
        ui.object(&joined_json(&replica))?;
    } else {
        say_joined(ui, &replica)?;
    }
    Ok(replica.close()?)
}

/// A programme's id, as `--program` takes it.
pub fn program_id(text: &str) -> Result<ProgramId, CliError> {
    text.parse().map_err(|error| CliError::usage(format!("--program: {error}")))
}

/// What became of joining, for programs.
pub fn joined_json(replica: &Replica) -> Json {
    let settings = &replica.settings;
    json!({
        "program_id": settings.program.to_string(), "org": settings.org.to_string(), "member": settings.name,
        "device_id": settings.device.to_string(), "position": replica.ledger.state.head().get(),
        "provisional": provisional::json(replica),
    })
}

/// The same for people.
pub fn say_joined(ui: Ui, replica: &Replica) -> Result<(), CliError> {
    let (settings, dir) = (&replica.settings, &replica.dir);
    ui.line(&format!(
        "{} {} ({}): {}",
        ui.text("ny replika för", "new replica for"),
        settings.org,
        settings.name,
        dir.display()
    ))?;
    ui.say(&format!(
        "{}: {}",
        ui.text("nyckeln ligger i", "the key is in"),
        key_path(&dir.join(FOLDER)).display()
    ));
    Ok(())
}

/// Makes a replica in `dir` and enrols it, or goes on with one that could not be finished. It holds all that the server has.
pub async fn join(ui: Ui, args: &Join, program: ProgramId, dir: &Path) -> Result<Replica, CliError> {
    if args.invite.is_some() {
        return Err(super::not_yet("--invite"));
    }
    let org: OrgId = args.org.parse().map_err(|error| CliError::usage(format!("--org: {error}")))?;
    let member = edit::title("--member", &args.member)?;
    let begun = begun_before(args, dir, program, &org, &member)?;
    let remote = Remote::connect_trusting(&args.server, args.ca.as_deref()).await?;
    let hello = remote.hello(&program.to_string()).await?;
    if !hello.open_enrolment {
        return Err(CliError::refused(
            "this server does not let devices enrol themselves, and invitations come in a later release",
            "run the server on a loopback address",
        ));
    }
    let long = hello.head.as_ref().is_some_and(|head| head.position > args.snapshot_above);
    let log_key = <[u8; 32]>::try_from(hello.log_key).ok().filter(|_| long && !args.full);
    let existed = dir.exists();
    let mut replica = match begun {
        Some(replica) => replica,
        None => make(args, dir, program, org, &member)?,
    };
    let Err(error) = enrol(ui, &mut replica, &remote, log_key.as_ref()).await else {
        provisional::say(ui, &replica);
        return Ok(replica);
    };
    let fetched = replica.ledger.state.head().get() > 0 || replica.snapshot_is_under_way()?;
    replica.close()?;
    if fetched && matches!(error, CliError::Client(ClientError::NoAnswer { .. })) {
        ui.say(ui.text(
            "det som hämtats är kvar: samma kommando fortsätter därifrån",
            "what was fetched is kept: the same command goes on from there",
        ));
        return Err(error);
    }
    // The key has signed nothing that landed; a second attempt starts afresh.
    let _ = std::fs::remove_dir_all(dir.join(FOLDER));
    if !existed {
        let _ = std::fs::remove_dir(dir);
    }
    Err(error)
}

/// The replica that an earlier attempt of the same person began and could not finish; none where there is no replica at all.
fn begun_before(
    args: &Join,
    dir: &Path,
    program: ProgramId,
    org: &OrgId,
    member: &str,
) -> Result<Option<Replica>, CliError> {
    if !dir.join(FOLDER).exists() {
        return Ok(None);
    }
    let exists = || ClientError::ReplicaExists(dir.to_owned());
    let mut settings = Settings::load(&dir.join(FOLDER)).map_err(|_| exists())?;
    let same = settings.program == program && settings.org == *org && nfc_eq(&settings.name, member);
    if !same {
        return Err(exists().into());
    }
    let replica = Replica::open(dir, Arc::new(SystemClock), Arc::new(SystemIds))?;
    if replica.ledger.state.devices().contains_key(&settings.device) {
        return Err(exists().into());
    }
    let ca = kept_ca(&args.server, args.ca.as_deref())?;
    if settings.server == args.server && settings.ca == ca {
        return Ok(Some(replica));
    }
    replica.close()?;
    settings.server.clone_from(&args.server);
    settings.ca = ca;
    settings.save(&dir.join(FOLDER))?;
    Ok(Some(Replica::open(dir, Arc::new(SystemClock), Arc::new(SystemIds))?))
}

/// The file of the authorities as a replica keeps it: it is used from any folder.
fn kept_ca(server: &str, ca: Option<&Path>) -> Result<Option<PathBuf>, CliError> {
    let ca = ca.filter(|_| server.starts_with("https://"));
    let absolute =
        |ca: &Path| std::path::absolute(ca).map_err(|source| CliError::File { path: ca.to_owned(), source });
    ca.map(absolute).transpose()
}

fn make(args: &Join, dir: &Path, program: ProgramId, org: OrgId, member: &str) -> Result<Replica, CliError> {
    let ids = SystemIds;
    let ca = kept_ca(&args.server, args.ca.as_deref())?;
    let settings = Settings { ca, ..Settings::fresh(&args.server, program, org, member, &ids) };
    let key = DeviceKey::from_seed(ids.random32());
    Ok(Replica::make(dir, &settings, &key, Arc::new(SystemClock), Arc::new(SystemIds))?)
}

/// Fetches a snapshot or the log, then introduces the device, and where they are new the organisation and the member. What an earlier
/// attempt has done is not done again.
async fn enrol(
    ui: Ui,
    replica: &mut Replica,
    remote: &Remote,
    log_key: Option<&[u8; 32]>,
) -> Result<(), CliError> {
    if replica.ledger.state.head().get() == 0 {
        match log_key {
            Some(log_key) => provisional::begin(ui, replica, remote, log_key).await?,
            None => replica.forget_snapshot_under_way()?,
        }
    }
    replica.pull(remote, |at, of| ui.progress(at, of)).await?;
    if replica.ledger.state.devices().contains_key(&replica.settings.device) {
        return Ok(());
    }
    if replica.outbox.is_empty() {
        replica.introduce()?;
    }
    let tally = replica.sync(remote, |_, _| {}).await?;
    if let Some(refused) = tally.refused.or_else(|| tally.rejections.first().cloned()) {
        return Err(CliError::Refused {
            what: format!("the server did not enrol this device: {refused}"),
            hint: None,
        });
    }
    Ok(())
}
