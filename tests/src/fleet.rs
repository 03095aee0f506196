//! A fleet: a server that is killed again and again, and municipalities, each its own process, that never stop editing.
//!
//! The server is killed on the fleet's progress, never by the clock. When all is quiet, everything that was written is
//! accounted for: one outcome for each event, one state everywhere, and no write lost by the referee ([`crate::check`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use radslag_client::clock::{SystemClock, SystemIds};
use radslag_client::remote::Remote;
use radslag_client::replica::{Quarantined, Replica};
use radslag_core::event::Change;
use radslag_core::id::EventId;
use radslag_core::record::{Entry, Recorded};
use radslag_core::view;
use radslag_proto::api::v1::GetProgramRequest;
use serde_json::Value as Json;

use crate::binaries::radslag_member;
use crate::check;
use crate::dice::Dice;
use crate::member::Standing;
use crate::town::{Municipality, Town};

/// The municipalities of Södertörn.
const ORGS: [&str; 8] =
    ["botkyrka", "haninge", "huddinge", "nacka", "nynashamn", "salem", "sodertalje", "tyreso"];

/// How large a fleet, and how bad its day.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many replica processes, each of another organisation; at most eight.
    pub processes: usize,
    /// How many events each of them writes.
    pub edits: usize,
    /// How often the server is killed.
    pub kills: usize,
    /// What the dice fall by.
    pub seed: u64,
}

/// What a fleet did.
#[derive(Clone, Debug)]
pub struct Report {
    /// Events that were accepted.
    pub accepted: usize,
    /// Events that were rejected and are in quarantine, by reason.
    pub rejected: BTreeMap<String, usize>,
    /// Calls that failed under the members.
    pub failed_calls: u64,
    /// How often the server was killed.
    pub kills: usize,
    /// From the first edit to the last outcome.
    pub took: Duration,
    /// Where all stand in the end.
    pub stands: Standing,
    /// How many writes a log where the last writer wins would have dropped.
    pub would_drop: usize,
}

impl Report {
    /// How many events have an outcome.
    pub fn outcomes(&self) -> usize {
        self.accepted + self.rejected.values().sum::<usize>()
    }
}

/// Runs a fleet until it is quiet and holds it to account.
///
/// # Panics
/// Something is not so that has to be.
pub fn run(plan: &Plan) -> Report {
    assert!((1..=ORGS.len()).contains(&plan.processes), "a fleet has one to eight members");
    let mut town = Town::with_sample();
    let replicas: Vec<Municipality> =
        ORGS[..plan.processes].iter().map(|org| town.municipality(org, "Handläggare")).collect();
    let (told, heard) = mpsc::sync_channel(1024);
    let started = Instant::now();
    let mut crew: Vec<Process> = Vec::new();
    for (index, replica) in replicas.iter().enumerate() {
        crew.push(Process::start(index, replica, plan, told.clone()));
    }
    drop(told);
    let mut ledger = Account::default();
    let kills = watch(plan, &mut town, &heard, &mut ledger);
    let took = started.elapsed();
    let stands: Vec<Standing> = crew.iter_mut().map(|one| one.standing(&heard)).collect();
    for (stand, replica) in stands.iter().zip(&replicas) {
        assert_eq!(stand, &stands[0], "{} stands elsewhere", replica.dir().display());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let server = runtime.expect("a runtime starts").block_on(server_stands(&town));
    assert_eq!(server, stands[0], "the server stands elsewhere");
    crew.into_iter().for_each(Process::end);
    let records = account_for(plan, &replicas, &ledger);
    let listed: Vec<Vec<Json>> = replicas.iter().map(Municipality::conflicts).collect();
    assert_eq!(listed[0].len(), stands[0].conflicts.len());
    for (replica, list) in replicas.iter().zip(&listed) {
        assert_eq!(list, &listed[0], "{} lists other conflicts", replica.dir().display());
        replica.does(&["verify", "--online"]);
    }
    town.stop();
    town.check();
    Report {
        accepted: ledger.outcomes.values().filter(|outcome| *outcome == "accepted").count(),
        rejected: ledger.rejected,
        failed_calls: ledger.failed_calls,
        kills,
        took,
        stands: stands[0].clone(),
        would_drop: check::last_writer_would_drop(&records),
    }
}

/// What the members said.
#[derive(Default)]
struct Account {
    /// Every event, with its author's number.
    authored: BTreeMap<String, usize>,
    /// What became of it, in its author's words.
    outcomes: BTreeMap<String, String>,
    rejected: BTreeMap<String, usize>,
    failed_calls: u64,
    done: usize,
}

impl Account {
    /// Takes down a line; says how many outcomes it brought.
    fn take(&mut self, from: usize, said: &Json) -> usize {
        if let Some(events) = said["authored"].as_array() {
            for event in events {
                let event = event.as_str().expect("an id is a text").to_owned();
                assert!(self.authored.insert(event, from).is_none(), "an event was written twice: {said}");
            }
        } else if let Some(event) = said["event"].as_str() {
            let outcome = said["outcome"].as_str().expect("an outcome is a text").to_owned();
            assert_ne!(outcome, "refused", "an honest replica was refused: {said}");
            if let Some(reason) = said["reason"].as_str() {
                *self.rejected.entry(reason.to_owned()).or_default() += 1;
            }
            assert_eq!(self.authored.get(event), Some(&from), "an outcome of what nobody wrote: {said}");
            assert!(self.outcomes.insert(event.to_owned(), outcome).is_none(), "two outcomes: {said}");
            return 1;
        } else {
            assert_eq!(said["done"], true, "a member said {said}");
            self.failed_calls += said["failed_calls"].as_u64().unwrap_or(0);
            self.done += 1;
        }
        0
    }
}

type Said = (usize, Option<Json>);

/// Listens until all members are done and kills the server on the way; says how often.
fn watch(plan: &Plan, town: &mut Town, heard: &mpsc::Receiver<Said>, account: &mut Account) -> usize {
    let total = plan.processes * plan.edits;
    let mut dice = Dice::new(plan.seed);
    // While most have still much to write: at this many lines of theirs, each once.
    let mut moments = BTreeSet::new();
    while moments.len() < plan.kills {
        moments.insert(total / 50 + dice.below(total * 9 / 10));
    }
    let mut moments: Vec<usize> = moments.into_iter().rev().collect();
    let (mut kills, mut since_start) = (0, 0);
    while account.done < plan.processes {
        let (from, said) = heard.recv().expect("members talk until they are done");
        let said = said.unwrap_or_else(|| panic!("member {from} ended before it was done"));
        since_start += account.take(from, &said);
        // Each life of the server has served somebody before it ends.
        let due = moments.last().is_some_and(|moment| account.authored.len() >= *moment);
        if due && since_start > 0 {
            town.crash();
            town.start();
            moments.pop();
            (kills, since_start) = (kills + 1, 0);
        }
    }
    assert_eq!(kills, plan.kills, "the members were done before the server was killed often enough");
    kills
}

/// Holds what the members said against every replica's log; gives the log.
fn account_for(plan: &Plan, replicas: &[Municipality], account: &Account) -> Vec<Recorded> {
    assert_eq!(account.authored.len(), plan.processes * plan.edits, "not all was written");
    assert_eq!(account.outcomes.len(), account.authored.len(), "an event has no outcome");
    let mut log: Option<Vec<Recorded>> = None;
    for (index, municipality) in replicas.iter().enumerate() {
        let dir = municipality.dir();
        let replica = Replica::open(dir, Arc::new(SystemClock), Arc::new(SystemIds));
        let replica = replica.unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let records = replica.records().expect("an open replica can be read");
        assert_eq!(check::lost_writes(&records, &replica.ledger.state), [], "{}", dir.display());
        let today = replica.ledger.state.today().expect("a log with records has a day");
        let open = view::conflicts(&replica.ledger.state);
        let open: check::Sides = open
            .iter()
            .map(|conflict| {
                let sides = conflict.sides.iter().map(|side| side.event).collect();
                ((conflict.entity, conflict.field), sides)
            })
            .collect();
        assert_eq!(open, check::conflicts(&records, today), "{}", dir.display());
        let quarantine = replica.quarantined().expect("an open replica can be read");
        let kept: BTreeSet<String> = quarantine.iter().map(|kept| kept.body.event_id.to_string()).collect();
        let own = account.authored.iter().filter(|(_, author)| **author == index).map(|(event, _)| event);
        let rejected: BTreeSet<String> =
            own.filter(|event| account.outcomes[*event] == "rejected").cloned().collect();
        assert_eq!(kept, rejected, "{}: what is in quarantine is not what was rejected", dir.display());
        only_with_what_they_settle(&quarantine, &records);
        assert!(replica.outbox_is_empty());
        replica.close().expect("a replica closes");
        match &log {
            None => log = Some(records),
            Some(log) => assert!(*log == records, "{}: another log", dir.display()),
        }
    }
    let log = log.expect("a fleet has a member");
    one_record_each(&log, account);
    log
}

/// An honest resolution is declined for naming unseen sides only where a side that it names was declined before it.
fn only_with_what_they_settle(quarantine: &[Quarantined], records: &[Recorded]) {
    let declined = |side: &EventId| {
        records.iter().any(|record| record.event_id == *side && matches!(record.entry, Entry::Rejected(_)))
    };
    for kept in quarantine.iter().filter(|kept| kept.reason == "SETTLES_UNSEEN") {
        let Change::ConflictResolved { settles, .. } = &kept.body.change else {
            panic!("declined as a resolution and none: {kept:?}")
        };
        assert!(settles.iter().any(declined), "all that it settles was there to be seen: {kept:?}");
    }
}

/// Every event that was written is in the log exactly once, with the outcome that its author learned.
fn one_record_each(log: &[Recorded], account: &Account) {
    let mut found: BTreeMap<String, &'static str> = BTreeMap::new();
    for record in log {
        let outcome = match record.entry {
            Entry::Accepted { .. } => "accepted",
            Entry::Rejected(_) => "rejected",
        };
        let before = found.insert(record.event_id.to_string(), outcome);
        assert!(before.is_none(), "{} is in the log twice", record.event_id);
    }
    for (event, outcome) in &account.outcomes {
        assert_eq!(found.get(event), Some(&outcome.as_str()), "{event}");
    }
}

/// Where the server stands, by its own word.
///
/// # Panics
/// It does not answer.
pub async fn server_stands(town: &Town) -> Standing {
    let remote = Remote::connect(town.url()).await.expect("the server answers");
    let request = GetProgramRequest { program_id: town.program().to_owned(), as_of: None };
    let answer = remote.programs().get_program(request).await.expect("the server answers").into_inner();
    let program = answer.program.expect("the server has the programme");
    let conflict = |conflict: &radslag_proto::api::v1::Conflict| {
        let sides = conflict.sides.iter().map(|side| side.event_id.clone()).collect();
        (conflict.conflict_id.clone(), sides)
    };
    Standing {
        position: answer.basis.map_or(0, |basis| basis.position),
        state_hash: program.state_hash,
        conflicts: program.conflicts.iter().map(conflict).collect(),
    }
}

/// A member that runs, and the thread that listens to it. Dropped, it is killed.
struct Process {
    index: usize,
    child: Child,
    stdin: Option<ChildStdin>,
    listening: Option<JoinHandle<()>>,
}

impl Process {
    fn start(index: usize, replica: &Municipality, plan: &Plan, told: mpsc::SyncSender<Said>) -> Self {
        let seed = Dice::new(plan.seed.wrapping_add(index as u64)).roll();
        let mut command = Command::new(radslag_member());
        command.arg(replica.dir()).arg(plan.edits.to_string()).arg(seed.to_string());
        command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("radslag-member starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let stdin = child.stdin.take();
        let listening = thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let said = serde_json::from_str(&line).expect("a member speaks JSON");
                // Nobody listens any more where the test has failed.
                if told.send((index, Some(said))).is_err() {
                    return;
                }
            }
            let _ = told.send((index, None));
        });
        Self { index, child, stdin, listening: Some(listening) }
    }

    /// Asks a member that is done where it stands.
    fn standing(&mut self, heard: &mpsc::Receiver<Said>) -> Standing {
        let stdin = self.stdin.as_mut().expect("stdin is open until the end");
        writeln!(stdin, "standing").expect("a member that is done listens");
        let (from, said) = heard.recv().expect("it answers");
        assert_eq!(from, self.index);
        let said = said.unwrap_or_else(|| panic!("member {from} ended when it was asked"));
        let text = |json: &Json| json.as_str().expect("ids and hashes are texts").to_owned();
        let texts =
            |json: &Json| json.as_array().expect("sides are a list").iter().map(text).collect::<Vec<_>>();
        let conflicts = said["conflicts"].as_array().expect("conflicts are a list");
        Standing {
            position: said["position"].as_u64().expect("a position is a number"),
            state_hash: text(&said["state_hash"]),
            conflicts: conflicts.iter().map(|one| (text(&one[0]), texts(&one[1]))).collect(),
        }
    }

    /// Lets it end and waits until it has.
    fn end(mut self) {
        drop(self.stdin.take());
        let ended = self.child.wait().expect("a member is our child");
        assert!(ended.success(), "member {} ended with {ended}", self.index);
        self.listening.take().map_or(Ok(()), JoinHandle::join).expect("the listener ends with its member");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
