//! A world of towns around one server: carries out a plan, step by step, and then lets everything come to rest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use prost::Message as _;
use radslag_client::author::Act;
use radslag_client::clock::IdSource as _;
use radslag_client::error::ClientError;
use radslag_client::resubmit::Resubmission;
use radslag_client::settings::Settings;
use radslag_client::steps::Tally;
use radslag_core::broken::{self, Variant};
use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::{Authority, Base, Change, PartyKind};
use radslag_core::id::{DeviceId, EntityId, EpochId, EventId, MemberId, Position, ProgramId};
use radslag_core::record::Recorded;
use radslag_core::verdict::Verdict;
use radslag_engine::epoch::NewEpoch;
use radslag_log::{Commit, EventLog as _, MemoryLog, RowChange};
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::convert::bundle::encode_event;
use radslag_proto::convert::event::{decode_body, encode_body};
use radslag_proto::convert::verdict::decode_answer;
use radslag_sync::exchange::{Ask, Cursor, Goal, Tell};
use radslag_sync::feed::Feed;
use radslag_trust::keys::DeviceKey;

use super::Report;
use super::dice::{Dice, SimClock, SimIds};
use super::laws;
use super::mallory;
use super::member::{Member, Shown, Talk, Writing, recorded};
use super::net::{Call, Flight};
use super::plan::{Step, Touch};
use super::server::{Answered, Server};
use super::store::{Crash, Disk};

/// 2019-04-10, when the programme begins.
const BEGIN: i64 = 1_554_854_400_000_000;

/// What is known of an event that a member wrote, beside what the log says.
#[derive(Clone, Debug)]
pub struct Authored {
    /// What the person could see.
    pub shown: Shown,
    /// When it was first handed in.
    pub sent: Option<u64>,
    /// When its author first heard of it, and where it was said to stand.
    pub heard: Option<(u64, Position)>,
    /// Its author wrote it anew or gave it up, with the log as far as they had it.
    pub closed: Option<Position>,
    /// It was written anew, after other own events or as another device: a base is one number of a sequence, and cannot
    /// leave out what came between.
    pub anew: bool,
}

/// A world.
pub struct World {
    /// The server.
    pub server: Server,
    /// The towns, and their copied disks.
    pub members: Vec<Member>,
    /// Every event that a member wrote.
    pub book: BTreeMap<EventId, Authored>,
    /// What happened.
    pub report: Report,
    /// The programme.
    pub program: ProgramId,
    /// The log of each epoch that is over, as it was at its end: where each event stood.
    pub ended: BTreeMap<EpochId, BTreeMap<EventId, Position>>,
    mallory: Member,
    began: usize,
    backups: Vec<MemoryLog>,
    flights: Vec<Flight>,
    time: Arc<AtomicI64>,
    tick: u64,
    calls: Call,
    ids: Arc<SimIds>,
}

/// How a world begins: a small programme and enrolled members, the same for every seed.
struct Genesis {
    program: ProgramId,
    server: MemoryLog,
    members: Vec<(MemoryLog, Settings, [u8; 32])>,
    time: i64,
}

const LOG_KEY: [u8; 32] = [77; 32];

impl World {
    /// The begin of a world with so many replicas.
    pub fn new(seed: u64, replicas: usize) -> Self {
        static BEGINS: OnceLock<Mutex<BTreeMap<usize, Arc<Genesis>>>> = OnceLock::new();
        let begins = BEGINS.get_or_init(Mutex::default);
        let known = begins.lock().expect("a world can begin").get(&replicas).cloned();
        let genesis = known.unwrap_or_else(|| {
            let genesis = Arc::new(genesis(replicas).expect("a world can begin"));
            begins.lock().expect("a world can begin").insert(replicas, Arc::clone(&genesis));
            genesis
        });
        Self::from(&genesis, seed)
    }

    fn from(genesis: &Genesis, seed: u64) -> Self {
        let ids = Arc::new(SimIds::new(seed));
        let time = Arc::new(AtomicI64::new(genesis.time));
        let disk = Arc::new(Disk::with(genesis.server.copy()));
        let server = Server::start(disk, SimClock::new(&time), genesis.program, LOG_KEY);
        let open = |(log, settings, key): &(MemoryLog, Settings, [u8; 32])| {
            let disk = Arc::new(Disk::with(log.copy()));
            Member::open(disk, SimClock::new(&time), settings, *key, Arc::clone(&ids))
                .expect("it can be opened")
        };
        let mut members: Vec<Member> = genesis.members.iter().map(open).collect();
        let mallory = members.pop().expect("the last member is Mallory");
        let began = members.len();
        Self {
            server,
            members,
            mallory,
            began,
            backups: vec![genesis.server.copy()],
            ended: BTreeMap::new(),
            book: BTreeMap::new(),
            report: Report::default(),
            program: genesis.program,
            flights: Vec::new(),
            time,
            tick: 0,
            calls: 0,
            ids,
        }
    }

    /// Carries out one step.
    ///
    /// # Errors
    /// A law was broken on the way.
    pub fn step(&mut self, step: &Step) -> Result<(), String> {
        self.tick += 1;
        self.time.fetch_add(1_000, Ordering::Relaxed);
        let members = self.members.len();
        let who = |who: &u8| usize::from(*who) % members;
        match step {
            Step::Wait(millis) => {
                self.time.fetch_add(i64::from(*millis) * 1000, Ordering::Relaxed);
                Ok(())
            }
            Step::Edit(member, touch, count) => {
                let member = who(member);
                let writing = self.members[member].edit(*touch, *count);
                self.write(member, writing)
            }
            Step::OpenForm(member, what) => {
                let member = who(member);
                self.members[member].open_form(*what);
                Ok(())
            }
            Step::SaveForm(member, touch) => {
                let member = who(member);
                let writing = self.members[member].save_form(*touch);
                self.write(member, writing)
            }
            Step::Resolve(member, pick) => {
                let member = who(member);
                let writing = self.members[member].resolve(*pick);
                self.write(member, writing)
            }
            Step::Sync(member) => self.begin_sync(who(member)),
            Step::Deliver(pick, count) => {
                for index in 0..usize::from(*count) {
                    self.deliver((usize::from(*pick) + index * 7) % self.flights.len().max(1))?;
                }
                Ok(())
            }
            Step::Lose(pick, again) => self.lose(usize::from(*pick), *again),
            Step::Repeat(pick) => {
                self.repeat(usize::from(*pick));
                Ok(())
            }
            Step::Turn => self.turn(),
            Step::CrashServer(Crash::Now) => self.restart_server(),
            Step::CrashServer(crash) => {
                self.server.disk.crash_next(*crash);
                Ok(())
            }
            Step::CrashReplica(member, Crash::Now) => {
                self.report.crashes += 1;
                self.members[who(member)].restart()
            }
            Step::CrashReplica(member, crash) => {
                self.members[who(member)].disk.crash_next(*crash);
                Ok(())
            }
            Step::SetClock(member, days) => {
                let clock = member.as_ref().map_or(&self.server.clock, |m| &self.members[who(m)].clock);
                clock.jump(i64::from(*days));
                Ok(())
            }
            Step::CopyDisk(member) => {
                // Two copies are enough, and keep a run short.
                if members < self.began + 2 {
                    let copy = self.members[who(member)].copy()?;
                    self.members.push(copy);
                }
                Ok(())
            }
            Step::Damage(member) => {
                self.damage(who(member));
                Ok(())
            }
            Step::Settle(member, again) => self.settle(who(member), *again),
            Step::GoOn => {
                self.go_on();
                Ok(())
            }
            Step::Malice(way, pick) => {
                self.malice(*way, *pick);
                Ok(())
            }
            Step::Backup => {
                self.backups.push(self.server.disk.log().copy());
                Ok(())
            }
            Step::Restore(pick) => self.restore(usize::from(*pick)),
        }
    }

    fn write(&mut self, member: usize, writing: Option<Writing>) -> Result<(), String> {
        let Some(writing) = writing else { return Ok(()) };
        let shown = writing.shown.clone();
        match self.members[member].queue(writing) {
            Ok(events) => {
                for event in events {
                    self.note(event, &shown);
                }
                Ok(())
            }
            Err(ClientError::Log(_)) => {
                self.members[member].restart()?;
                self.report.crashes += 1;
                // What reached the disk before the crash is written, whether or not anybody heard of it.
                let rows = waiting(&self.members[member]);
                for event in rows {
                    if !self.book.contains_key(&event) {
                        self.note(event, &shown);
                    }
                }
                Ok(())
            }
            // The rules say at once that it would be declined, or the form is of no use any more: nothing is written.
            Err(ClientError::Rejected(_) | ClientError::Command(_)) => Ok(()),
            // What was looked at holds numbers that another machine has taken since.
            Err(ClientError::WouldBeRefused(_)) if self.members[member].copied => Ok(()),
            Err(error) => Err(format!("queue: {error}")),
        }
    }

    fn note(&mut self, event: EventId, shown: &Shown) {
        self.report.authored += 1;
        self.book.insert(
            event,
            Authored { shown: shown.clone(), sent: None, heard: None, closed: None, anew: false },
        );
    }

    fn begin_sync(&mut self, who: usize) -> Result<(), String> {
        let member = &mut self.members[who];
        if member.talk.is_some() {
            return Ok(());
        }
        let exchange = member.replica.begin(Goal::Both).map_err(|error| format!("begin: {error}"))?;
        member.talk = Some(Talk { exchange, tally: Tally::default(), call: 0, rejoin: None });
        self.ask(who)
    }

    fn ask(&mut self, who: usize) -> Result<(), String> {
        self.calls += 1;
        let call = self.calls;
        if broken::is(Variant::BaseRestamped) {
            self.restamp(who)?;
        }
        let member = &mut self.members[who];
        let Some(talk) = &mut member.talk else { return Ok(()) };
        talk.call = call;
        if let Some(after) = talk.rejoin {
            self.flights.push(Flight::Follow { from: who, call, after });
            return Ok(());
        }
        let forked = member.replica.fork().map_err(|error| format!("fork: {error}"))?;
        match talk.exchange.generate() {
            Some(Ask::Follow { after }) => self.flights.push(Flight::Follow { from: who, call, after }),
            Some(Ask::Return { bundle }) => {
                let bundle =
                    member.replica.lost_bundle(bundle).map_err(|error| format!("return: {error}"))?;
                self.report.returned += bundle.events.len();
                self.flights.push(Flight::Push { from: who, call, bundle });
            }
            // As the client does: nothing goes on top of a chain that another machine continued.
            Some(Ask::Push { .. }) if forked.is_some() => return self.renew(who),
            Some(Ask::Push { rows }) => {
                let bundle = match member.replica.bundle(rows.clone()) {
                    Ok(bundle) => bundle,
                    Err(ClientError::Log(_)) => {
                        self.report.crashes += 1;
                        return member.restart();
                    }
                    Err(error) => return Err(format!("bundle: {error}")),
                };
                for row in &member.replica.outbox[rows] {
                    if let Some(authored) = self.book.get_mut(&row.body.event_id) {
                        authored.sent.get_or_insert(self.tick);
                    }
                }
                self.flights.push(Flight::Push { from: who, call, bundle });
            }
            None if forked.is_some() && !member.replica.outbox.is_empty() => return self.renew(who),
            None => member.talk = None,
        }
        Ok(())
    }

    /// A copied disk becomes a device of its own, and goes on.
    fn renew(&mut self, who: usize) -> Result<(), String> {
        let member = &mut self.members[who];
        let Some(other) = member.replica.fork().map_err(|error| format!("fork: {error}"))? else {
            return Ok(());
        };
        if !member.copied {
            let what = "a device that nobody copied is told that another machine uses its id";
            return Err(format!("law 1: {what}"));
        }
        let (before, device) = (waiting(member), member.replica.settings.device);
        // What is open was opened as the device that this no longer is.
        (member.form, member.talk) = (None, None);
        let renewed = member.replica.become_new_device(other);
        match renewed {
            Ok(_) => {}
            Err(ClientError::Log(_)) => {
                self.report.crashes += 1;
                member.restart()?;
            }
            Err(error) => return Err(format!("renew: {error}")),
        }
        let member = &mut self.members[who];
        member.seed = member.replica.key.seed();
        if member.replica.settings.device == device {
            return Ok(());
        }
        let after = waiting(member);
        self.written_anew(who, &before, &after)?;
        self.begin_sync(who)
    }

    /// Events that took the places of others: their authors saw the same.
    fn written_anew(&mut self, who: usize, before: &[EventId], after: &[EventId]) -> Result<(), String> {
        if before.len() != after.len() {
            return Err(format!("law 1: {} events were written anew as {}", before.len(), after.len()));
        }
        let held = self.members[who].replica.ledger.state.head();
        let renamed: BTreeMap<EventId, EventId> = before.iter().copied().zip(after.iter().copied()).collect();
        for (old, new) in &renamed {
            let Some(authored) = self.book.get_mut(old) else { continue };
            authored.closed = Some(held);
            let mut shown = authored.shown.clone();
            for waiting in &mut shown.waiting {
                *waiting = renamed.get(waiting).copied().unwrap_or(*waiting);
            }
            self.book.insert(*new, Authored { shown, sent: None, heard: None, closed: None, anew: true });
        }
        Ok(())
    }

    /// Somebody looks through their quarantine.
    fn settle(&mut self, who: usize, again: bool) -> Result<(), String> {
        let member = &mut self.members[who];
        if member.talk.is_some() {
            return Ok(());
        }
        let held = member.replica.quarantined().map_err(|error| format!("quarantine: {error}"))?;
        // What was damaged would be refused once more.
        let held: Vec<_> = held.into_iter().filter(|held| held.rejected || !again).collect();
        let numbers: Vec<u64> = held.iter().map(|held| held.number).collect();
        if numbers.is_empty() {
            return Ok(());
        }
        let before: Vec<EventId> = held.iter().map(|held| held.body.event_id).collect();
        let waited = member.replica.outbox.len();
        let settled = if again {
            let wanted = Resubmission { numbers, ..Resubmission::default() };
            member.replica.resubmit(&wanted).map(|_| ())
        } else {
            member.replica.discard(&numbers)
        };
        match settled {
            Ok(()) => {}
            Err(ClientError::Log(_)) => {
                self.report.crashes += 1;
                member.restart()?;
            }
            // It would be rejected again.
            Err(ClientError::Rejected(_)) => return Ok(()),
            Err(error) => return Err(format!("settle: {error}")),
        }
        let member = &self.members[who];
        let after: Vec<EventId> =
            member.replica.outbox.iter().skip(waited).map(|row| row.body.event_id).collect();
        if again && !after.is_empty() {
            return self.written_anew(who, &before, &after);
        }
        let held = member.replica.ledger.state.head();
        let left = member.replica.quarantined().map_err(|error| format!("quarantine: {error}"))?;
        for event in before.iter().filter(|event| left.iter().all(|held| held.body.event_id != **event)) {
            if let Some(authored) = self.book.get_mut(event) {
                authored.closed = Some(held);
            }
        }
        Ok(())
    }

    /// Whose records are not the members'.
    pub fn mallory_device(&self) -> DeviceId {
        self.mallory.replica.settings.device
    }

    /// What a client would do that gave its events their base only when it pushes them.
    fn restamp(&mut self, who: usize) -> Result<(), String> {
        let member = &mut self.members[who];
        let pushes = member.talk.as_ref().and_then(|talk| talk.exchange.generate());
        if !member.copied && matches!(pushes, Some(Ask::Push { .. })) && restamp(member, &self.book) {
            let exchange = member.replica.begin(Goal::Both).map_err(|error| format!("begin: {error}"))?;
            member.talk = member.talk.take().map(|talk| Talk { exchange, ..talk });
        }
        Ok(())
    }

    fn deliver(&mut self, index: usize) -> Result<(), String> {
        if index >= self.flights.len() {
            return Ok(());
        }
        match self.flights.remove(index) {
            Flight::Push { from, call, bundle } => {
                let answered = self.server.push(from, call, bundle);
                answered.map_or(Ok(()), |answered| self.send_back(answered))
            }
            Flight::Follow { from, call, after } => {
                if let Some(answer) = self.server.misplaced(after) {
                    self.flights.push(Flight::Refetch { to: from, call, asked: after, answer });
                    return Ok(());
                }
                let feed = Feed::new(after.position, true);
                self.flights.push(Flight::Stream { to: from, call, feed });
                Ok(())
            }
            Flight::Answers { to, call, answers, restores } => {
                if self.is_waiting(to, call) && restores == self.report.restores {
                    self.note_answers(&answers)?;
                }
                self.hear_answers(to, call, &answers)
            }
            Flight::Refetch { to, call, asked, answer } => {
                if !self.is_waiting(to, call) {
                    return Ok(());
                }
                let member = &mut self.members[to];
                let at =
                    member.replica.ask_instead(asked, &answer).map_err(|error| format!("alarm: {error}"))?;
                self.rejoin(to, at)
            }
            Flight::Stream { to, call, mut feed } => {
                let Some(frame) = self.server.next_frame(&mut feed) else { return Ok(()) };
                if !self.is_waiting(to, call) {
                    return Ok(());
                }
                let over = matches!(frame, Frame::CaughtUp(_));
                if self.members[to].talk.as_ref().is_some_and(|talk| talk.rejoin.is_some()) {
                    return self.hear_opening(to, frame);
                }
                self.hear_frame(to, frame)?;
                if over {
                    return self.ask(to);
                }
                self.flights.push(Flight::Stream { to, call, feed });
                Ok(())
            }
        }
    }

    fn is_waiting(&self, who: usize, call: Call) -> bool {
        let member = self.members.get(who);
        member.and_then(|member| member.talk.as_ref()).is_some_and(|talk| talk.call == call)
    }

    fn hear_answers(&mut self, who: usize, call: Call, answers: &[api::Answer]) -> Result<(), String> {
        if !self.is_waiting(who, call) {
            return Ok(());
        }
        let member = &mut self.members[who];
        let Some(mut talk) = member.talk.take() else { return Ok(()) };
        let taken = member.replica.take_answers(&mut talk.exchange, answers, &mut talk.tally);
        self.after(who, talk, taken)?;
        self.ask(who)
    }

    fn hear_frame(&mut self, who: usize, frame: Frame) -> Result<(), String> {
        let member = &mut self.members[who];
        let Some(mut talk) = member.talk.take() else { return Ok(()) };
        let taken = match frame {
            Frame::Events(events) => member.replica.take_events(&mut talk.exchange, events, &mut talk.tally),
            Frame::CaughtUp(caught_up) => member.replica.take_caught_up(&mut talk.exchange, &caught_up),
            Frame::Heartbeat(_) | Frame::MustRefetch(_) => Ok(()),
        };
        if let Err(ClientError::Parted { after: position }) = taken {
            let epoch = member.replica.ledger.state.epoch();
            member.talk = Some(talk);
            return self.rejoin(who, Cursor { epoch, position });
        }
        self.after(who, talk, taken)?;
        self.members[who].look()
    }

    /// The server's log is not the one that was followed: asks it how it goes on from where they part.
    fn rejoin(&mut self, who: usize, at: Cursor) -> Result<(), String> {
        if let Some(talk) = &mut self.members[who].talk {
            talk.rejoin = Some(at);
        }
        self.ask(who)
    }

    /// The first frame from where the logs part: it must open an epoch.
    fn hear_opening(&mut self, who: usize, frame: Frame) -> Result<(), String> {
        let member = &mut self.members[who];
        let Some(at) = member.talk.take().and_then(|talk| talk.rejoin) else { return Ok(()) };
        let Frame::Events(events) = frame else {
            return Err("alarm: the log ends where it parts".to_owned());
        };
        match member.replica.rewind(at.position, events) {
            Ok(_) => {
                // What the form was opened on top of has left the programme.
                member.form = None;
                member.look()?;
                self.begin_sync(who)
            }
            Err(ClientError::Log(_)) => {
                self.report.crashes += 1;
                member.restart()
            }
            Err(error) => Err(format!("alarm: {error}")),
        }
    }

    /// The server's disk is lost: it goes on from a copy.
    fn restore(&mut self, pick: usize) -> Result<(), String> {
        if self.report.restores >= 3 {
            return Ok(());
        }
        let last = self.backups.len().min(3);
        let copy = self.backups[self.backups.len() - 1 - pick % last].copy();
        self.restore_from(copy)
    }

    fn restore_from(&mut self, copy: MemoryLog) -> Result<(), String> {
        self.end_epoch()?;
        let new =
            NewEpoch { event: EventId::new(self.ids.random_id()), epoch: EpochId::new(self.ids.random_id()) };
        let unanswered = self.server.restore(copy, new)?;
        self.report.restores += 1;
        let cut = self.server.programme().map_or(Position::ZERO, |programme| programme.head().previous());
        for authored in self.book.values_mut() {
            // What was acknowledged after the cut is not there any more.
            authored.heard = authored.heard.filter(|(_, position)| *position <= cut);
        }
        // Copies that reach past the cut are of a log that is given up.
        let program = self.program;
        let end = |copy: &MemoryLog| copy.head(program).ok().flatten().map_or(0, |head| head.position);
        self.backups.retain(|copy| end(copy) <= cut.get());
        self.backups.push(self.server.disk.log().copy());
        self.break_streams(unanswered)
    }

    /// Remembers where everything stood.
    fn end_epoch(&mut self) -> Result<(), String> {
        let Some(programme) = self.server.programme() else { return Ok(()) };
        let epoch = programme.published().state.epoch();
        let records = recorded(self.server.disk.as_ref(), self.program)?;
        self.ended.insert(epoch, stands(&records));
        Ok(())
    }

    /// A store that fails takes the machine down; anything else that an honest member cannot take is a broken law.
    fn after(&mut self, who: usize, talk: Talk, taken: Result<(), ClientError>) -> Result<(), String> {
        match taken {
            Ok(()) => {
                let member = &mut self.members[who];
                if talk.tally.refused.is_some() {
                    // What the form was opened on top of has left the programme.
                    member.form = None;
                }
                member.talk = Some(talk);
                Ok(())
            }
            Err(ClientError::Log(_)) => {
                self.report.crashes += 1;
                self.members[who].restart()
            }
            Err(error) => Err(format!("alarm: {error}")),
        }
    }

    /// One event, one outcome: whatever its author hears of it, and however often, is the same.
    fn note_answers(&mut self, answers: &[api::Answer]) -> Result<(), String> {
        for answer in answers {
            let (event, verdict) = decode_answer(answer).map_err(|error| format!("answer: {error}"))?;
            let position = match verdict {
                Verdict::Accepted(receipt) | Verdict::DuplicateAccepted(receipt) => receipt.position,
                Verdict::Rejected(receipt) | Verdict::DuplicateRejected(receipt) => receipt.position,
                Verdict::Refused(_)
                | Verdict::DeviceForked { .. }
                | Verdict::Gap { .. }
                | Verdict::RetryLater { .. } => continue,
            };
            let Some(authored) = event.and_then(|event| self.book.get_mut(&event)) else { continue };
            let (_, heard) = *authored.heard.get_or_insert((self.tick, position));
            if heard != position {
                return Err(format!("law 1: an event was said to stand at {heard} and at {position}"));
            }
        }
        Ok(())
    }

    fn hear_nothing(&mut self, who: usize, call: Call, again: bool) -> Result<(), String> {
        if !self.is_waiting(who, call) {
            return Ok(());
        }
        let member = &mut self.members[who];
        let Some(mut talk) = member.talk.take() else { return Ok(()) };
        talk.exchange.receive(Tell::Lost).map_err(|alarm| format!("alarm: {alarm}"))?;
        if again {
            member.talk = Some(talk);
            return self.ask(who);
        }
        Ok(())
    }

    fn lose(&mut self, pick: usize, again: bool) -> Result<(), String> {
        if self.flights.is_empty() {
            return Ok(());
        }
        self.report.faults += 1;
        let flight = self.flights.remove(pick % self.flights.len());
        let (who, call) = flight.waits();
        self.hear_nothing(who, call, again)
    }

    fn repeat(&mut self, pick: usize) {
        let to_server: Vec<usize> =
            (0..self.flights.len()).filter(|index| self.flights[*index].to_server()).collect();
        if let Some(index) = to_server.get(pick % to_server.len().max(1)) {
            self.report.faults += 1;
            // Nobody waits for what comes of the second one.
            let again = match self.flights[*index].clone() {
                Flight::Push { from, bundle, .. } => Flight::Push { from, call: 0, bundle },
                Flight::Follow { from, after, .. } => Flight::Follow { from, call: 0, after },
                other @ (Flight::Answers { .. } | Flight::Refetch { .. } | Flight::Stream { .. }) => other,
            };
            self.flights.push(again);
        }
    }

    fn turn(&mut self) -> Result<(), String> {
        let (answered, down) = self.server.turn();
        for answered in answered {
            self.send_back(answered)?;
        }
        if down { self.restart_server() } else { Ok(()) }
    }

    fn send_back(&mut self, answered: Answered) -> Result<(), String> {
        match answered {
            Answered::Answers(to, call, answers) => {
                let restores = self.report.restores;
                self.flights.push(Flight::Answers { to, call, answers, restores });
                Ok(())
            }
            Answered::Failed(to, call) => self.hear_nothing(to, call, false),
        }
    }

    fn restart_server(&mut self) -> Result<(), String> {
        self.report.crashes += 1;
        let unanswered = self.server.restart();
        self.break_streams(unanswered)
    }

    /// Nobody hears the rest of a stream, or the answer to what the server had taken in.
    fn break_streams(&mut self, unanswered: Vec<(usize, Call)>) -> Result<(), String> {
        let broken: Vec<(usize, Call)> =
            self.flights.iter().filter(|f| matches!(f, Flight::Stream { .. })).map(Flight::waits).collect();
        self.flights.retain(|flight| !matches!(flight, Flight::Stream { .. }));
        for (who, call) in unanswered.into_iter().chain(broken) {
            self.hear_nothing(who, call, false)?;
        }
        Ok(())
    }

    /// A waiting event that was never sent goes bad on the disk. Not where a copy of the disk still has it whole.
    fn damage(&mut self, who: usize) {
        if self.members.len() > self.began {
            return;
        }
        let book = &self.book;
        let replica = &mut self.members[who].replica;
        let unsent = |row: &radslag_client::author::Authored| {
            let sent = book.get(&row.body.event_id).is_none_or(|authored| authored.sent.is_some());
            !sent && !row.values.is_empty()
        };
        let Some(at) = replica.outbox.iter().position(unsent) else { return };
        replica.outbox[at].values[0].bytes.push(b'?');
        let row = &replica.outbox[at];
        let bytes = encode_event(row.bytes.clone(), &row.values).encode_to_vec();
        let put = RowChange::Put(replica.outbox_row(row.body.device_seq), bytes);
        let commit = Commit { appends: Vec::new(), rows: vec![put] };
        self.members[who].disk.log().commit(commit).expect("a disk in memory can be written");
    }

    fn malice(&mut self, way: u8, pick: u16) {
        let Some(programme) = self.server.programme() else { return };
        let victim = &self.members[usize::from(pick) % self.members.len()];
        let bundle = mallory::bundle(way, pick, &self.mallory, &programme.published(), &self.ids, victim);
        self.nobody_waits_for(bundle);
    }

    fn go_on(&mut self) {
        let Some(programme) = self.server.programme() else { return };
        let mut copies = self.members.iter().skip(self.began);
        let bundle = copies.find_map(|copy| mallory::goes_on(copy, &programme.published()));
        for event in bundle.iter().flat_map(|bundle| &bundle.events) {
            let event = decode_body(&event.body).ok().map(|body| body.event_id);
            if let Some(authored) = event.and_then(|event| self.book.get_mut(&event)) {
                authored.sent.get_or_insert(self.tick);
            }
        }
        self.nobody_waits_for(bundle);
    }

    fn nobody_waits_for(&mut self, bundle: Option<api::Bundle>) {
        self.flights.extend(bundle.map(|bundle| Flight::Push { from: usize::MAX, call: 0, bundle }));
    }

    /// Somebody who was level with the log writes, the server is restored to a copy that is older than what they saw, two
    /// others write in the new epoch, and then the first one's event lands: it must not cover what they wrote.
    ///
    /// # Errors
    /// A law was broken.
    pub fn restored(&mut self) -> Result<(), String> {
        let touch = Touch { what: 3, value: 1, dated: None, strict: false };
        let copy = self.server.disk.log().copy();
        for who in [0, 1] {
            let writing = self.members[who].edit(touch, 1);
            self.write(who, writing)?;
            self.sync_now(who)?;
        }
        self.sync_now(0)?;
        let writing = self.members[0].edit(Touch { value: 2, ..touch }, 1);
        self.write(0, writing)?;
        let new =
            NewEpoch { event: EventId::new(self.ids.random_id()), epoch: EpochId::new(self.ids.random_id()) };
        self.end_epoch()?;
        self.server.restore(copy, new)?;
        for (who, value) in [(2, 3), (3, 4)] {
            self.time.fetch_add(1_000_000, Ordering::Relaxed);
            let writing = self.members[who].edit(Touch { value, ..touch }, 1);
            self.write(who, writing)?;
            self.sync_now(who)?;
        }
        // The first one's replica would hand in the lost tail before; an event of a base that is older than the epoch may
        // come alone all the same.
        let bundle = self.members[0].replica.bundle(0..1).map_err(|error| format!("bundle: {error}"))?;
        self.nobody_waits_for(Some(bundle));
        self.deliver(0)?;
        self.turn()?;
        self.flights.clear();
        let records = recorded(self.server.disk.as_ref(), self.program)?;
        let landed = records.last().and_then(|record| record.body());
        if landed.is_none_or(|body| body.device_id != self.members[0].replica.settings.device) {
            return Err("epochs: an honest event of before the restore did not land".to_owned());
        }
        laws::nothing_lost(self, &records)
    }

    /// Twelve changes near the largest size are lost to a restore, and come back to a log that declines them, because somebody took
    /// their ids in vain, or refuses them, because a copied disk took their numbers. Whoever held them keeps them, in commits that a
    /// store takes. Gives how many are in quarantine at the one who held them, beside their author, and how many stand in the log again.
    ///
    /// # Errors
    /// A law was broken, or a store declined a commit.
    pub fn large_and_lost(&mut self, declined: bool) -> Result<(usize, usize), String> {
        use radslag_core::event::NewValue;
        use radslag_core::field::FieldKey;
        use radslag_core::value::Slot;
        let copy = self.server.disk.log().copy();
        let state = &self.members[0].replica.ledger.state;
        let kind = radslag_core::state::EntityKind::Activity;
        let activity = state.entities().find(|(_, entity)| entity.kind == kind).map(|(id, _)| id);
        let entity = activity.ok_or("there is no activity")?;
        let revised = |text: &str, event: Option<EventId>| {
            let change = Change::FieldRevised { entity, field: FieldKey::Comment, value: NewValue::Sealed };
            Draft { event, ..Draft::new(change).with_text(Slot::COMMENT, text) }
        };
        let twin = self.members[0].copy()?;
        self.members.push(twin);
        let twin = self.members.len() - 1;
        let mut lost = Vec::new();
        for _ in 0..12 {
            lost.extend(self.queue_all(0, vec![revised(&"å".repeat(32_590), None)])?);
        }
        self.sync_now(0)?;
        self.sync_now(1)?;
        self.restore_from(copy)?;
        if declined {
            for event in &lost {
                self.queue_all(2, vec![revised("fåfängt", Some(*event))])?;
            }
            self.sync_now(2)?;
        } else {
            self.queue_all(twin, vec![revised("en annan maskin", None)])?;
            self.sync_now(twin)?;
        }
        self.sync_now(1)?;
        let held = self.members[1].replica.quarantined().map_err(|error| format!("quarantine: {error}"))?;
        let kept = held.iter().filter(|held| lost.contains(&held.body.event_id) && !held.values.is_empty());
        let records = recorded(self.server.disk.as_ref(), self.program)?;
        let device = self.members[0].replica.settings.device;
        let own = |record: &&Recorded| record.body().is_some_and(|body| body.device_id == device);
        let again = records.iter().filter(own).filter(|record| lost.contains(&record.event_id));
        Ok((kept.count(), again.count()))
    }

    fn queue_all(&mut self, who: usize, drafts: Vec<Draft>) -> Result<Vec<EventId>, String> {
        let base = self.members[who].replica.base();
        let queued = self.members[who].replica.queue(base, drafts, &Act::default(), false);
        queued.map_err(|error| format!("queue: {error}"))
    }

    /// The network heals, late messages arrive, and everybody syncs until nothing is left to do.
    ///
    /// # Errors
    /// A law was broken on the way, or it does not come to rest.
    pub fn come_to_rest(&mut self) -> Result<(), String> {
        self.server.disk.recover();
        for member in &mut self.members {
            member.disk.recover();
        }
        let late = std::mem::take(&mut self.flights);
        for flight in late {
            let (who, call) = flight.waits();
            if flight.to_server() {
                self.flights.insert(0, flight);
                self.deliver(0)?;
            }
            self.hear_nothing(who, call, false)?;
        }
        self.turn()?;
        self.flights.clear();
        for member in &mut self.members {
            member.talk = None;
        }
        for _ in 0..4 {
            for who in 0..self.members.len() {
                self.sync_now(who)?;
            }
        }
        Ok(())
    }

    fn sync_now(&mut self, who: usize) -> Result<(), String> {
        self.tick += 1;
        self.begin_sync(who)?;
        let mut deliveries = 0;
        while self.members[who].talk.is_some() {
            if self.flights.is_empty() {
                self.turn()?;
            }
            if self.flights.is_empty() {
                return Err("rest: a call was never answered".to_owned());
            }
            self.deliver(0)?;
            deliveries += 1;
            if deliveries > 2_000 {
                return Err("rest: an exchange does not end".to_owned());
            }
        }
        self.flights.clear();
        Ok(())
    }
}

/// Where each event stands.
pub fn stands(records: &[Recorded]) -> BTreeMap<EventId, Position> {
    records.iter().rev().map(|record| (record.event_id, record.position)).collect()
}

/// What waits in an outbox and was written by a person.
fn waiting(member: &Member) -> Vec<EventId> {
    let rows = member.replica.outbox.iter();
    let rows = rows.filter(|row| !matches!(row.body.change, Change::DeviceEnrolled { .. }));
    rows.map(|row| row.body.event_id).collect()
}

/// Gives the events that were never sent the base of this moment; says whether that changed any.
fn restamp(member: &mut Member, book: &BTreeMap<EventId, Authored>) -> bool {
    let base = member.replica.base();
    let mut changed = false;
    let mut rows = Vec::new();
    let mut prev: Option<Digest> = None;
    for row in &mut member.replica.outbox {
        let sent = book.get(&row.body.event_id).is_some_and(|authored| authored.sent.is_some());
        if !sent {
            row.body.base = Base { seq: row.body.base.seq, ..base };
            row.body.prev = prev.unwrap_or(row.body.prev);
            row.bytes = encode_body(&row.body).expect("what was read can be written");
            changed |= row.hash != Digest::of(&row.bytes);
            let written = encode_event(row.bytes.clone(), &row.values).encode_to_vec();
            rows.push((row.body.device_seq, written));
            row.hash = Digest::of(&row.bytes);
        }
        prev = Some(row.hash);
    }
    let put = |(seq, written)| RowChange::Put(member.replica.outbox_row(seq), written);
    let commit = Commit { appends: Vec::new(), rows: rows.into_iter().map(put).collect() };
    member.disk.log().commit(commit).expect("a disk in memory can be written");
    changed
}

/// Lets a world begin: the programme, then one device after another, over a network without faults.
fn genesis(replicas: usize) -> Result<Genesis, String> {
    let ids = Arc::new(SimIds::new(4711));
    let time = Arc::new(AtomicI64::new(BEGIN));
    let program = ProgramId::new(ids.random_id());
    let mut dice = Dice::new(1905);
    let server = Server::start(Arc::new(Disk::default()), SimClock::new(&time), program, LOG_KEY);
    let mut members = Vec::new();
    for number in 0..=replicas {
        let settings = Settings {
            server: String::new(),
            ca: None,
            program,
            org: format!("kommun-{number}").parse().map_err(|error| format!("{error}"))?,
            member: MemberId::new(ids.random_id()),
            name: format!("medlem {number}"),
            device: DeviceId::new(ids.random_id()),
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&dice.roll().to_be_bytes());
        let disk = Arc::new(Disk::default());
        members.push(Member::open(disk, SimClock::new(&time), &settings, seed, Arc::clone(&ids))?);
    }
    let mallory = members.pop().ok_or("no members")?;
    let mut world = World {
        server,
        members,
        mallory,
        began: replicas,
        backups: Vec::new(),
        ended: BTreeMap::new(),
        book: BTreeMap::new(),
        report: Report::default(),
        program,
        flights: Vec::new(),
        time,
        tick: 0,
        calls: 0,
        ids,
    };
    world.create()?;
    // Mallory is enrolled like everybody else.
    let mallory = std::mem::replace(&mut world.mallory, world.members[0].copy()?);
    world.members.push(mallory);
    for who in 0..world.members.len() {
        world.enrol(who)?;
    }
    for who in 0..world.members.len() {
        world.sync_now(who)?;
    }
    let members = world.members.iter();
    let members = members.map(|m| (m.disk.log().copy(), m.replica.settings.clone(), m.seed)).collect();
    let time = world.time.load(Ordering::Relaxed);
    Ok(Genesis { program, server: world.server.disk.log().copy(), members, time })
}

impl World {
    fn create(&mut self) -> Result<(), String> {
        let key = |seed| *DeviceKey::from_seed(seed).public().bytes();
        let member = &mut self.members[0];
        let rules = radslag_core::judge::RULES;
        let created = Change::ProgramCreated { log_key: key(LOG_KEY), device_key: key(member.seed), rules };
        let org = member.replica.settings.org.clone();
        let member_id = member.replica.settings.member;
        let first = Draft::new(created).with_text(radslag_core::value::Slot::TITLE, "Programmet");
        let act = Act::default();
        let queue = |member: &mut Member, drafts: Vec<Draft>| {
            let base = if member.replica.outbox.is_empty() { Base::default() } else { member.replica.base() };
            let grouped = drafts.len() > 1;
            member.replica.queue(base, drafts, &act, grouped).map_err(|error| format!("genesis: {error}"))
        };
        queue(member, vec![first])?;
        let admitted = Draft::new(Change::OrganisationAdmitted { org_id: org.clone(), party: None });
        let person = Draft::new(Change::MemberAdmitted { member_id, org_id: org });
        let person = person.with_text(radslag_core::value::Slot::MEMBER_NAME, "medlem 0");
        queue(member, vec![admitted, person])?;
        let drafts = programme(&self.ids);
        queue(member, drafts)?;
        let rows = member.replica.outbox.len();
        let bundle = member.replica.bundle(0..rows).map_err(|error| format!("genesis: {error}"))?;
        if self.server.push(0, 0, bundle).is_some() {
            return Err("genesis: the push failed".to_owned());
        }
        let (answered, _) = self.server.turn();
        let Some(Answered::Answers(_, _, answers)) = answered.first() else {
            return Err("genesis: no answer".to_owned());
        };
        if answers.len() < rows {
            return Err(format!("genesis: refused: {:?}", answers.last()));
        }
        self.sync_now(0)
    }

    fn enrol(&mut self, who: usize) -> Result<(), String> {
        self.sync_now(who)?;
        let member = &mut self.members[who];
        let settings = member.replica.settings.clone();
        if member.replica.ledger.key_of(settings.device).is_some() {
            return Ok(());
        }
        let enrolled = Change::DeviceEnrolled {
            device_id: settings.device,
            public_key: *DeviceKey::from_seed(member.seed).public().bytes(),
            member_id: settings.member,
            org_id: settings.org.clone(),
            authority: Authority::Open,
        };
        let org = Change::OrganisationAdmitted { org_id: settings.org.clone(), party: None };
        let person = Change::MemberAdmitted { member_id: settings.member, org_id: settings.org.clone() };
        let person = Draft::new(person).with_text(radslag_core::value::Slot::MEMBER_NAME, &settings.name);
        let base = member.replica.base();
        let drafts = vec![Draft::new(enrolled), Draft::new(org), person];
        let queued = member.replica.queue(base, drafts, &Act::default(), true);
        queued.map_err(|error| format!("genesis: {error}"))?;
        self.sync_now(who)
    }
}

/// Two sub-goals, three activities and three parties: small, so that people meet.
fn programme(ids: &SimIds) -> Vec<Draft> {
    use radslag_core::value::Slot;
    let id = || EntityId::new(ids.random_id());
    let (area, source) = (id(), None);
    let mut drafts = vec![
        Draft::new(Change::AreaAdded { area, order_key: "h".to_owned(), source })
            .with_text(Slot::TITLE, "Område"),
    ];
    let subgoals = [id(), id()];
    for (subgoal, key) in subgoals.into_iter().zip(["h", "n"]) {
        let added = Change::SubgoalAdded { subgoal, area, order_key: key.to_owned(), source: None };
        drafts.push(Draft::new(added).with_text(Slot::TITLE, "Delmål"));
    }
    for name in ["Haninge", "Huddinge", "Södertälje"] {
        let added = Change::PartyAdded {
            party: id(),
            kind: PartyKind::Municipality,
            organisation: None,
            source: None,
        };
        drafts.push(Draft::new(added).with_text(Slot::NAME, name));
    }
    for (title, key) in [("Möte", "h"), ("Resa", "n"), ("Utredning", "t")] {
        let added = Change::ActivityAdded {
            activity: id(),
            subgoal: subgoals[0],
            order_key: key.to_owned(),
            responsible: Vec::new(),
            lead: None,
            source: None,
        };
        drafts.push(Draft::new(added).with_text(Slot::TITLE, title));
    }
    drafts
}
