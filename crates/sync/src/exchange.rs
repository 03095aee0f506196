//! The replica's end of the exchange with a server, without sockets and clocks.
//!
//! [`Exchange`] says what to ask next and takes what comes back. It first brings the replica level with the log, then hands in
//! the outbox, then looks at the log again until every own event is *seen* there. An answer alone takes no row out of an
//! outbox. The server's end of a stream is a [`Feed`](crate::feed::Feed).
//!
//! An ask that got no reply is asked again: `generate` gives the same one until a reply came.
//!
//! ```
//! use radslag_core::digest::Digest;
//! use radslag_core::id::{DeviceId, EpochId, EventId, Position};
//! use radslag_core::time::Instant;
//! use radslag_core::verdict::{Landing, Receipt, Verdict};
//! use radslag_sync::exchange::{Ask, Cursor, Exchange, Goal, Row, Seen, Tell};
//! use radslag_sync::feed::{Feed, Step};
//!
//! let (device, event) = (DeviceId::from_slice(&[1; 16]).unwrap(), EventId::from_slice(&[2; 16]).unwrap());
//! let row = Row { event, body: Digest::of(b"the body"), bytes: 8, group: None };
//! let at = |position| Cursor { epoch: EpochId::default(), position: Position::new(position) };
//! let mut log: Vec<Seen> = Vec::new();
//!
//! // A replica with one waiting event meets an empty log.
//! let mut exchange = Exchange::new(Goal::Both, device, at(0), None, vec![row]);
//! assert_eq!(exchange.generate(), Some(Ask::Follow { after: at(0) }));
//! assert_eq!(Feed::new(Position::ZERO, true).step(Position::ZERO), Step::CaughtUp);
//! exchange.receive(Tell::CaughtUp(at(0))).unwrap();
//!
//! // Level with the log, it hands in. The server records, and the reply is lost: the same is asked again.
//! assert_eq!(exchange.generate(), Some(Ask::Push { rows: 0..1 }));
//! log.push(Seen {
//!     position: Position::new(1), record: Digest::of(b"record 1"), event, body: row.body, device, accepted: true,
//!     opens: None,
//! });
//! exchange.receive(Tell::Lost).unwrap();
//! assert_eq!(exchange.generate(), Some(Ask::Push { rows: 0..1 }));
//! let receipt = Receipt {
//!     position: Position::new(1), recorded_at: Instant::from_micros(1), leaf_hash: Digest::ZERO, landing: Landing::Clean,
//! };
//! let effects = exchange.receive(Tell::Answers(&[Verdict::DuplicateAccepted(receipt)])).unwrap();
//! assert!(effects.settled.is_empty(), "acknowledged is not seen");
//!
//! // It looks at the log again, and there its event is.
//! assert_eq!(exchange.generate(), Some(Ask::Follow { after: at(0) }));
//! let mut feed = Feed::new(Position::ZERO, true);
//! let head = Position::new(1);
//! assert_eq!(feed.step(head), Step::Send { after: Position::ZERO, up_to: head });
//! feed.sent(head);
//! let effects = exchange.receive(Tell::Records(&log)).unwrap();
//! assert_eq!((effects.take, effects.settled[0].event), (0..1, event));
//! assert_eq!(feed.step(head), Step::CaughtUp);
//! exchange.receive(Tell::CaughtUp(at(1))).unwrap();
//! assert_eq!(exchange.generate(), None);
//! ```

use std::ops::Range;

use radslag_core::digest::Digest;
use radslag_core::id::{DeviceId, DeviceSeq, EpochId, EventId, GroupId, Position};
use radslag_core::verdict::{Receipt, Refusal, RejectionReceipt, Verdict};

use crate::outbox::{PUSH_BYTES, PUSH_EVENTS, RowSize, next_push};

/// A place in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The epoch.
    pub epoch: EpochId,
    /// The last record held; zero for none.
    pub position: Position,
}

/// A waiting event of the replica, as far as the exchange looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub event: EventId,
    /// SHA-256 of its body.
    pub body: Digest,
    /// Bytes of body and values.
    pub bytes: usize,
    /// The group it belongs to.
    pub group: Option<GroupId>,
}

/// A record that came in, as far as the exchange looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it stands.
    pub position: Position,
    /// SHA-256 of the record as it is stored.
    pub record: Digest,
    /// Whose record it is.
    pub event: EventId,
    /// SHA-256 of that event's body.
    pub body: Digest,
    /// The device that wrote it.
    pub device: DeviceId,
    /// Accepted or rejected.
    pub accepted: bool,
    /// The epoch that it opens: what the log held after its cut, it holds no more.
    pub opens: Option<EpochId>,
}

/// What a restored log lacks of one bundle that the replica holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The caller's name for it.
    pub id: u64,
    /// Its accepted members that have not been seen again, in order.
    pub rows: Vec<Row>,
}

/// How far an exchange goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Level with the log.
    Pull,
    /// Every waiting event answered.
    Push,
    /// Every waiting event seen in the log.
    Both,
}

/// What the replica asks for next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The records after a cursor, up to the head.
    Follow {
        /// One before the last record held, so that a log that went another way shows itself at once.
        after: Cursor,
    },
    /// Answers for these rows of the outbox.
    Push {
        /// Counted from the first row that is still there.
        rows: Range<usize>,
    },
    /// Answers for what a restored log lacks: one bundle, as it was first signed.
    Return {
        /// Which, by [`Lost::id`].
        bundle: u64,
    },
}

/// What comes back.
#[derive(Clone, Copy, Debug)]
pub enum Tell<'a> {
    /// Records, in order.
    Records(&'a [Seen]),
    /// There are no more than these for now.
    CaughtUp(Cursor),
    /// One verdict for each row that was handed in, up to the one that stopped the push.
    Answers(&'a [Verdict]),
    /// No reply, or only part of one.
    Lost,
}

/// An own event that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Which.
    pub event: EventId,
    /// Where.
    pub position: Position,
    /// Accepted, or rejected: then it goes to quarantine.
    pub accepted: bool,
}

/// What the replica has to do, in this order, before it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// These of the records that came are new: verify and store them, in one commit with `settled`.
    pub take: Range<usize>,
    /// These rows leave the outbox.
    pub settled: Vec<Settled>,
    /// The server refused this row for good: it and all after it go to quarantine.
    pub refused: Option<(EventId, Refusal)>,
    /// The server takes these lost records no more: they go to quarantine, with the reason.
    pub declined: Option<(Vec<EventId>, Refusal)>,
    /// Another machine uses this device's id: it wrote this event.
    pub forked: Option<EventId>,
    /// The server takes nothing now; try again in so many milliseconds.
    pub later: Option<u32>,
}

/// What came cannot be: nothing of it is to be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    /// Another record stands where one is held.
    #[error("the server's log does not continue this replica's: it has another change at position {0}")]
    OtherRecord(Position),
    /// The record after the last one held was expected.
    #[error("the server sent position {sent} where {expected} was expected")]
    OutOfOrder {
        /// What came.
        sent: Position,
        /// What was to come.
        expected: Position,
    },
    /// The log ends before what is held or was acknowledged.
    #[error(
        "the server's log ends at position {head}: it lacks changes that were acknowledged, up to position {held}"
    )]
    LostTail {
        /// Where it ends.
        head: Position,
        /// What was held or acknowledged.
        held: Position,
    },
    /// The log ends before what an author had seen.
    #[error("the server's log lacks changes that were acknowledged, up to position {held}: {refusal}")]
    Behind {
        /// What was held.
        held: Position,
        /// What the server says.
        refusal: String,
    },
    /// An acknowledged event is not in the log.
    #[error("the server acknowledged event {event} at position {position} and does not show it there")]
    Unseen {
        /// The event.
        event: EventId,
        /// The position that the answer named.
        position: Position,
    },
    /// The log misses an event of this device that it had before.
    #[error("the server misses this device's event number {0}, which it had acknowledged")]
    LostNumber(DeviceSeq),
    /// Not one verdict for each row, up to the one that stopped the push.
    #[error("the server answered for {answers} events where {rows} were handed in")]
    WrongAnswers {
        /// How many answers.
        answers: usize,
        /// How many rows.
        rows: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Behind,
    Level,
    Done,
}

/// The replica's end of one exchange. It lives as long as the exchange; what lasts is the log and the outbox.
#[derive(Clone, Debug)]
pub struct Exchange {
    goal: Goal,
    device: DeviceId,
    cursor: Cursor,
    held: Option<Digest>,
    rows: Vec<Row>,
    // The positions that the answers named, for the first rows.
    answered: Vec<Position>,
    stage: Stage,
    // What is handed in before the outbox: whether each was answered, and where its first answer says that it stands.
    lost: Vec<(Lost, Option<Position>)>,
    // Whether the stream has still to show the record held.
    fresh: bool,
    // Nothing more is handed in.
    stopped: bool,
}

impl Exchange {
    /// Begins an exchange: `held` is SHA-256 of the record at the cursor, `rows` is the outbox in order.
    pub const fn new(
        goal: Goal,
        device: DeviceId,
        cursor: Cursor,
        held: Option<Digest>,
        rows: Vec<Row>,
    ) -> Self {
        Self {
            goal,
            device,
            cursor,
            held,
            rows,
            answered: Vec::new(),
            lost: Vec::new(),
            stage: Stage::Behind,
            fresh: true,
            stopped: false,
        }
    }

    /// The same, with what a restored log lacks: it is handed in before the outbox, in this order.
    #[must_use]
    pub fn returning(mut self, lost: Vec<Lost>) -> Self {
        self.lost = lost.into_iter().filter(|lost| !lost.rows.is_empty()).map(|lost| (lost, None)).collect();
        self
    }

    /// The same, in the middle of a stream: the record held has been shown already.
    #[must_use]
    pub const fn midstream(mut self) -> Self {
        self.fresh = false;
        self
    }

    /// How many rows it knows of: the first ones of the outbox.
    pub const fn waiting(&self) -> usize {
        self.rows.len()
    }

    /// How many of the first rows were answered.
    pub const fn answered(&self) -> usize {
        self.answered.len()
    }

    /// A row was queued meanwhile, after all others.
    pub fn queued(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// What to ask now; nothing when the exchange is over.
    pub fn generate(&self) -> Option<Ask> {
        match self.stage {
            Stage::Done => None,
            Stage::Behind => {
                let before = Position::new(self.cursor.position.get().saturating_sub(1));
                Some(Ask::Follow { after: Cursor { position: before, ..self.cursor } })
            }
            Stage::Level => {
                if let Some((lost, _)) = self.lost.iter().find(|(_, answered)| answered.is_none()) {
                    return Some(Ask::Return { bundle: lost.id });
                }
                let from = self.answered.len();
                let sizes: Vec<RowSize> = self.rows[from..]
                    .iter()
                    .map(|row| RowSize { bytes: row.bytes, group: row.group })
                    .collect();
                Some(Ask::Push { rows: from..from + next_push(&sizes, PUSH_EVENTS, PUSH_BYTES) })
            }
        }
    }

    /// Takes what came for the last ask.
    ///
    /// # Errors
    /// It cannot be; the exchange is over and nothing of the message counts.
    pub fn receive(&mut self, tell: Tell<'_>) -> Result<Effects, Alarm> {
        let taken = match tell {
            Tell::Records(records) => self.records(records),
            Tell::CaughtUp(head) => self.caught_up(head),
            Tell::Answers(verdicts) => self.answers(verdicts),
            Tell::Lost => {
                // The stream begins anew, with the last record once more.
                self.fresh = true;
                Ok(Effects::default())
            }
        };
        if taken.is_err() {
            self.stage = Stage::Done;
        }
        taken
    }

    fn records(&mut self, records: &[Seen]) -> Result<Effects, Alarm> {
        let mut effects = Effects::default();
        let Some(first) = records.first() else { return Ok(effects) };
        let repeated = usize::from(self.fresh && self.held.is_some());
        if repeated == 1 && (first.position != self.cursor.position || Some(first.record) != self.held) {
            return Err(Alarm::OtherRecord(self.cursor.position));
        }
        self.fresh = false;
        let mut position = self.cursor.position;
        for seen in &records[repeated..] {
            if seen.position != position.next() {
                return Err(Alarm::OutOfOrder { sent: seen.position, expected: position.next() });
            }
            position = seen.position;
            self.meet(seen, &mut effects);
        }
        effects.take = repeated..records.len();
        self.cursor.position = position;
        self.held = records.last().map(|seen| seen.record);
        Ok(effects)
    }

    /// An own event takes its row out of the outbox; one by this device that is no row was written by another machine.
    fn meet(&mut self, seen: &Seen, effects: &mut Effects) {
        if let Some(epoch) = seen.opens {
            self.cursor.epoch = epoch;
            // What was answered before may be gone.
            self.answered.clear();
            self.lost.iter_mut().for_each(|(_, answered)| *answered = None);
        }
        if self.meet_lost(seen) {
            return;
        }
        if seen.device != self.device {
            return;
        }
        let row = self.rows.iter().position(|row| row.event == seen.event && row.body == seen.body);
        let Some(row) = row else {
            effects.forked.get_or_insert(seen.event);
            return;
        };
        self.rows.remove(row);
        if row < self.answered.len() {
            self.answered.remove(row);
        }
        let (event, position, accepted) = (seen.event, seen.position, seen.accepted);
        effects.settled.push(Settled { event, position, accepted });
    }

    /// A lost record that stands in the log again, accepted or not, is lost no more, whoever handed it in.
    fn meet_lost(&mut self, seen: &Seen) -> bool {
        let mut met = false;
        for (lost, _) in &mut self.lost {
            let before = lost.rows.len();
            lost.rows.retain(|row| (row.event, row.body) != (seen.event, seen.body));
            met |= lost.rows.len() < before;
        }
        self.lost.retain(|(lost, _)| !lost.rows.is_empty());
        met
    }

    fn caught_up(&mut self, head: Cursor) -> Result<Effects, Alarm> {
        let held = self.cursor.position;
        if head.position < held {
            return Err(Alarm::LostTail { head: head.position, held });
        }
        let shown = !self.fresh || self.held.is_none();
        if head.position > held || !shown {
            return Err(Alarm::OutOfOrder { sent: head.position, expected: held });
        }
        // Every answer names a position at or below the head that the server had published before it answered.
        if let (Some(row), Some(position)) = (self.rows.first(), self.answered.first()) {
            return Err(if *position > head.position {
                Alarm::LostTail { head: head.position, held: *position }
            } else {
                Alarm::Unseen { event: row.event, position: *position }
            });
        }
        let unseen = self.lost.iter().find_map(|(lost, at)| at.and_then(|at| Some((lost.rows.first()?, at))));
        if let Some((row, position)) = unseen {
            return Err(Alarm::Unseen { event: row.event, position });
        }
        self.cursor = head;
        let nothing = self.rows.is_empty() && self.lost.is_empty();
        let over = self.goal == Goal::Pull || self.stopped || nothing;
        self.stage = if over { Stage::Done } else { Stage::Level };
        Ok(Effects::default())
    }

    fn answers(&mut self, verdicts: &[Verdict]) -> Result<Effects, Alarm> {
        let mut effects = Effects::default();
        let rows = match self.generate() {
            Some(Ask::Push { rows }) => rows,
            Some(Ask::Return { .. }) => return self.answers_for_lost(verdicts),
            Some(Ask::Follow { .. }) | None => return Ok(effects),
        };
        let wrong = Alarm::WrongAnswers { answers: verdicts.len(), rows: rows.len() };
        let stopped = verdicts.last().is_some_and(Verdict::stops_the_push);
        if verdicts.len() > rows.len() || (verdicts.len() < rows.len() && !stopped) {
            return Err(wrong);
        }
        for verdict in verdicts {
            match verdict {
                Verdict::Accepted(receipt) | Verdict::DuplicateAccepted(receipt) => {
                    self.answered.push(receipt.position);
                }
                Verdict::Rejected(receipt) | Verdict::DuplicateRejected(receipt) => {
                    self.answered.push(receipt.position);
                }
                // What was seen in the log is in the log: the server has lost it, the event is not at fault.
                Verdict::Refused(refusal) if refusal.name() == "BASE_AHEAD" => {
                    return Err(Alarm::Behind { held: self.cursor.position, refusal: refusal.to_string() });
                }
                Verdict::Refused(refusal) => {
                    effects.refused = Some((self.rows[self.answered.len()].event, refusal.clone()));
                    self.rows.truncate(self.answered.len());
                }
                Verdict::DeviceForked { landed } => effects.forked = Some(*landed),
                Verdict::Gap { expected } => return Err(Alarm::LostNumber(*expected)),
                Verdict::RetryLater { after_ms } => effects.later = Some(*after_ms),
            }
        }
        let waits = effects.forked.is_some() || effects.later.is_some();
        if waits || self.answered.len() == self.rows.len() {
            self.look(waits);
        }
        Ok(effects)
    }

    /// What was answered is looked for in the log, unless that is left to the next pull.
    fn look(&mut self, waits: bool) {
        let answered = !self.answered.is_empty() || self.lost.iter().any(|(_, answered)| answered.is_some());
        let look = self.goal == Goal::Both && answered;
        self.stage = if look { Stage::Behind } else { Stage::Done };
        self.fresh = true;
        self.stopped |= waits;
    }

    fn answers_for_lost(&mut self, verdicts: &[Verdict]) -> Result<Effects, Alarm> {
        let mut effects = Effects::default();
        let held = self.cursor.position;
        let Some((lost, answered)) = self.lost.iter_mut().find(|(_, answered)| answered.is_none()) else {
            return Ok(effects);
        };
        let stopped = verdicts.last().is_some_and(Verdict::stops_the_push);
        let (answers, rows) = (verdicts.len(), lost.rows.len());
        if answers > rows || (answers < rows && !stopped) {
            return Err(Alarm::WrongAnswers { answers, rows });
        }
        let mut stands = 0;
        for verdict in verdicts {
            match verdict {
                Verdict::Accepted(Receipt { position, .. })
                | Verdict::DuplicateAccepted(Receipt { position, .. })
                | Verdict::Rejected(RejectionReceipt { position, .. })
                | Verdict::DuplicateRejected(RejectionReceipt { position, .. }) => {
                    answered.get_or_insert(*position);
                    stands += 1;
                }
                Verdict::Refused(refusal) if refusal.name() == "BASE_AHEAD" => {
                    return Err(Alarm::Behind { held, refusal: refusal.to_string() });
                }
                Verdict::RetryLater { after_ms } => {
                    // The rest of it is for the next exchange.
                    lost.rows.truncate(stands);
                    effects.later = Some(*after_ms);
                }
                Verdict::Refused(_) | Verdict::DeviceForked { .. } | Verdict::Gap { .. } => {
                    let left = lost.rows.split_off(stands).iter().map(|row| row.event).collect();
                    effects.declined = Some((left, why(verdict)));
                }
            }
        }
        // An event may have been lost twice, and stand in the bundles of two tails.
        if let Some((left, _)) = &effects.declined {
            self.lost.iter_mut().for_each(|(lost, _)| lost.rows.retain(|row| !left.contains(&row.event)));
        }
        self.lost.retain(|(lost, _)| !lost.rows.is_empty());
        let all = self.lost.iter().all(|(_, answered)| answered.is_some());
        if effects.later.is_some() || (all && self.rows.is_empty()) {
            self.look(effects.later.is_some());
        }
        Ok(effects)
    }
}

/// Why a lost record is not taken again.
fn why(verdict: &Verdict) -> Refusal {
    let other = |reason: &str, detail: String| Refusal::Other { reason: reason.to_owned(), detail };
    match verdict {
        Verdict::Refused(refusal) => refusal.clone(),
        Verdict::DeviceForked { landed } => {
            other("DEVICE_FORKED", format!("event {landed} of its device has taken its number"))
        }
        Verdict::Gap { expected } => {
            other("GAP", format!("number {expected} of its device is missing before it"))
        }
        Verdict::Accepted(_)
        | Verdict::DuplicateAccepted(_)
        | Verdict::DuplicateRejected(_)
        | Verdict::Rejected(_)
        | Verdict::RetryLater { .. } => other("INTERNAL", String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Feed, Step};
    use proptest::prelude::*;
    use radslag_core::time::Instant;
    use radslag_core::verdict::{Landing, Receipt};

    fn at(position: u64) -> Cursor {
        Cursor { epoch: EpochId::default(), position: Position::new(position) }
    }

    fn device(of: u8) -> DeviceId {
        DeviceId::from_slice(&[of; 16]).unwrap()
    }

    fn event(of: u8, number: u8) -> EventId {
        let mut id = [of; 16];
        id[15] = number;
        EventId::from_slice(&id).unwrap()
    }

    fn row(number: u8) -> Row {
        Row { event: event(1, number), body: Digest::of(&[1, number]), bytes: 10, group: None }
    }

    fn seen(position: u64, of: u8, number: u8) -> Seen {
        Seen {
            position: Position::new(position),
            record: Digest::of(&position.to_be_bytes()),
            event: event(of, number),
            body: Digest::of(&[of, number]),
            device: device(of),
            accepted: true,
            opens: None,
        }
    }

    fn receipt(position: u64) -> Receipt {
        Receipt {
            position: Position::new(position),
            recorded_at: Instant::from_micros(1),
            leaf_hash: Digest::ZERO,
            landing: Landing::Clean,
        }
    }

    /// A server that remembers: the same event again gets the same position.
    #[derive(Default)]
    struct Log(Vec<Seen>);

    impl Log {
        fn take(&mut self, row: &Row) -> Verdict {
            if let Some(old) = self.0.iter().find(|seen| seen.event == row.event) {
                return Verdict::DuplicateAccepted(receipt(old.position.get()));
            }
            let position = self.0.len() as u64 + 1;
            let (event, body) = (row.event, row.body);
            self.0.push(Seen { event, body, device: device(1), ..seen(position, 1, 0) });
            Verdict::Accepted(receipt(position))
        }

        fn stranger(&mut self) {
            let position = self.0.len() as u64 + 1;
            self.0.push(seen(position, 2, u8::try_from(position % 256).unwrap()));
        }
    }

    /// What the network does to one ask.
    #[derive(Clone, Copy, Debug)]
    enum Fate {
        Fine,
        /// The ask does not arrive.
        AskLost,
        /// It arrives, and the reply does not; a stream breaks after so many records.
        ReplyLost(usize),
        /// It arrives twice.
        Twice,
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![
            2 => Just(Fate::Fine),
            1 => Just(Fate::AskLost),
            2 => (0usize..5).prop_map(Fate::ReplyLost),
            1 => Just(Fate::Twice),
        ]
    }

    proptest! {
        #[test]
        fn whatever_the_network_does_every_row_is_seen_once_and_every_record_taken_once(
            rows in 0u8..20, before in 0usize..10, between in 0usize..3, fates in prop::collection::vec(fate(), 0..40)
        ) {
            let mut log = Log::default();
            (0..before).for_each(|_| log.stranger());
            let outbox: Vec<Row> = (1..=rows).map(row).collect();
            let mut exchange = Exchange::new(Goal::Both, device(1), at(0), None, outbox.clone());
            let mut held: Vec<Seen> = Vec::new();
            let mut settled = Vec::new();
            let mut fates = fates.into_iter();
            let mut asked = 0;
            while let Some(ask) = exchange.generate() {
                asked += 1;
                prop_assert!(asked < 100, "the exchange does not end");
                let fate = fates.next().unwrap_or(Fate::Fine);
                if matches!(fate, Fate::AskLost) {
                    exchange.receive(Tell::Lost).unwrap();
                    continue;
                }
                match ask {
                    Ask::Return { .. } => prop_assert!(false, "nothing is lost here"),
                    Ask::Push { rows } => {
                        let waiting: Vec<Row> =
                            outbox.iter().filter(|row| !settled.contains(&row.event)).copied().collect();
                        let mut answers: Vec<Verdict> = waiting[rows.clone()].iter().map(|row| log.take(row)).collect();
                        if matches!(fate, Fate::Twice) {
                            answers = waiting[rows].iter().map(|row| log.take(row)).collect();
                        }
                        (0..between).for_each(|_| log.stranger());
                        let tell = if matches!(fate, Fate::ReplyLost(_)) { Tell::Lost } else { Tell::Answers(&answers) };
                        exchange.receive(tell).unwrap();
                    }
                    Ask::Follow { after } => {
                        let mut feed = Feed::new(after.position, true);
                        let mut left = if let Fate::ReplyLost(records) = fate { records } else { usize::MAX };
                        loop {
                            let head = Position::new(log.0.len() as u64);
                            match feed.step(head) {
                                Step::Send { after, .. } => {
                                    let from = usize::try_from(after.get()).unwrap();
                                    let frame: Vec<Seen> = log.0[from..].iter().take(3.min(left)).copied().collect();
                                    left -= frame.len();
                                    if frame.is_empty() {
                                        exchange.receive(Tell::Lost).unwrap();
                                        break;
                                    }
                                    feed.sent(frame.last().unwrap().position);
                                    let effects = exchange.receive(Tell::Records(&frame)).unwrap();
                                    held.extend(&frame[effects.take]);
                                    settled.extend(effects.settled.iter().map(|row| row.event));
                                    prop_assert_eq!(effects.forked, None);
                                }
                                Step::CaughtUp => {
                                    feed.told();
                                    exchange.receive(Tell::CaughtUp(at(head.get()))).unwrap();
                                }
                                Step::Wait | Step::End => break,
                            }
                        }
                    }
                }
            }
            prop_assert_eq!(&held, &log.0);
            prop_assert_eq!(settled, outbox.iter().map(|row| row.event).collect::<Vec<_>>());
        }
    }

    fn level(rows: u8) -> Exchange {
        let outbox = (1..=rows).map(row).collect();
        let mut exchange = Exchange::new(Goal::Both, device(1), at(0), None, outbox);
        exchange.receive(Tell::CaughtUp(at(0))).unwrap();
        exchange
    }

    #[test]
    fn a_log_that_went_another_way_raises_the_alarm_before_anything_is_taken() {
        let held = Some(Digest::of(b"what is held"));
        let mut exchange = Exchange::new(Goal::Both, device(1), at(3), held, vec![]);
        assert_eq!(exchange.generate(), Some(Ask::Follow { after: at(2) }));
        let alarm = exchange.receive(Tell::Records(&[seen(3, 2, 3), seen(4, 2, 4)]));
        assert_eq!(alarm, Err(Alarm::OtherRecord(Position::new(3))));
        assert_eq!(exchange.generate(), None);
        let mut exchange = Exchange::new(Goal::Both, device(1), at(3), held, vec![]);
        let alarm = exchange.receive(Tell::CaughtUp(at(2)));
        assert_eq!(alarm, Err(Alarm::LostTail { head: Position::new(2), held: Position::new(3) }));
        let mut exchange = Exchange::new(Goal::Both, device(1), at(3), held, vec![]);
        assert!(exchange.receive(Tell::CaughtUp(at(3))).is_err(), "the record held was never shown");
    }

    #[test]
    fn an_acknowledged_event_that_the_log_does_not_show_raises_the_alarm() {
        let mut exchange = level(1);
        exchange.receive(Tell::Answers(&[Verdict::Accepted(receipt(1))])).unwrap();
        assert_eq!(exchange.receive(Tell::CaughtUp(at(0))), {
            Err(Alarm::LostTail { head: Position::ZERO, held: Position::new(1) })
        });
        let mut exchange = level(1);
        exchange.receive(Tell::Answers(&[Verdict::Accepted(receipt(1))])).unwrap();
        exchange.receive(Tell::Records(&[seen(1, 2, 9)])).unwrap();
        let alarm = exchange.receive(Tell::CaughtUp(at(1)));
        assert_eq!(alarm, Err(Alarm::Unseen { event: event(1, 1), position: Position::new(1) }));
    }

    #[test]
    fn an_event_of_this_device_that_it_did_not_write_is_a_fork() {
        let mut exchange = Exchange::new(Goal::Pull, device(1), at(0), None, vec![row(1)]);
        let stranger = Seen { body: Digest::of(b"not its body"), ..seen(1, 1, 1) };
        let effects = exchange.receive(Tell::Records(&[stranger])).unwrap();
        assert_eq!((effects.forked, effects.settled), (Some(event(1, 1)), vec![]));
    }

    #[test]
    fn what_follows_a_refusal_is_not_handed_in_and_what_went_before_is_looked_for() {
        let mut exchange = level(3);
        let refusal = Refusal::EnrolmentClosed;
        let answers = [Verdict::Accepted(receipt(1)), Verdict::Refused(refusal.clone())];
        let effects = exchange.receive(Tell::Answers(&answers)).unwrap();
        assert_eq!(effects.refused, Some((event(1, 2), refusal)));
        assert_eq!(exchange.generate(), Some(Ask::Follow { after: at(0) }));
        exchange.receive(Tell::Records(&[seen(1, 1, 1)])).unwrap();
        exchange.receive(Tell::CaughtUp(at(1))).unwrap();
        assert_eq!(exchange.generate(), None);
    }

    #[test]
    fn a_row_that_is_queued_meanwhile_is_no_stranger() {
        let mut exchange = Exchange::new(Goal::Both, device(1), at(0), None, vec![row(1)]);
        assert_eq!(exchange.waiting(), 1);
        exchange.queued(row(2));
        let effects = exchange.receive(Tell::Records(&[seen(1, 1, 1), seen(2, 1, 2)])).unwrap();
        assert_eq!((effects.forked, effects.settled.len()), (None, 2));
    }

    #[test]
    fn a_server_that_has_not_seen_what_an_author_saw_has_lost_it() {
        let detail = "the base is position 9, the log ends at 5".to_owned();
        // As it comes over the wire.
        let refusal = Refusal::Other { reason: "BASE_AHEAD".to_owned(), detail };
        let alarm = level(1).receive(Tell::Answers(&[Verdict::Refused(refusal)])).unwrap_err();
        assert!(matches!(&alarm, Alarm::Behind { .. }), "{alarm}");
    }

    fn returning(lost: Vec<Lost>, rows: u8) -> Exchange {
        let outbox = (1..=rows).map(row).collect();
        let mut exchange = Exchange::new(Goal::Both, device(1), at(0), None, outbox).returning(lost);
        exchange.receive(Tell::CaughtUp(at(0))).unwrap();
        exchange
    }

    #[test]
    fn what_a_restored_log_lacks_is_handed_in_before_the_outbox_and_looked_for() {
        let lost = |id, numbers: &[u8]| Lost { id, rows: numbers.iter().map(|n| row(*n)).collect() };
        let mut exchange = returning(vec![lost(7, &[2, 3]), lost(9, &[4])], 1);
        assert_eq!(exchange.generate(), Some(Ask::Return { bundle: 7 }));
        exchange.receive(Tell::Lost).unwrap();
        assert_eq!(exchange.generate(), Some(Ask::Return { bundle: 7 }));
        let both = [Verdict::Accepted(receipt(1)), Verdict::DuplicateAccepted(receipt(2))];
        exchange.receive(Tell::Answers(&both)).unwrap();
        assert_eq!(exchange.generate(), Some(Ask::Return { bundle: 9 }));
        exchange.receive(Tell::Answers(&[Verdict::Accepted(receipt(3))])).unwrap();
        assert_eq!(exchange.generate(), Some(Ask::Push { rows: 0..1 }));
        exchange.receive(Tell::Answers(&[Verdict::Accepted(receipt(4))])).unwrap();
        assert_eq!(exchange.generate(), Some(Ask::Follow { after: at(0) }));
        let log = [seen(1, 1, 2), seen(2, 1, 3), seen(3, 1, 4), seen(4, 1, 1)];
        let effects = exchange.receive(Tell::Records(&log)).unwrap();
        assert_eq!((effects.forked, effects.settled.len()), (None, 1));
        exchange.receive(Tell::CaughtUp(at(4))).unwrap();
        assert_eq!(exchange.generate(), None);
    }

    #[test]
    fn lost_records_that_the_server_does_not_take_are_named_and_asked_for_no_more() {
        let lost = Lost { id: 7, rows: vec![row(2), row(3)] };
        let mut exchange = returning(vec![lost.clone()], 0);
        let forked = Verdict::DeviceForked { landed: event(2, 9) };
        let effects = exchange.receive(Tell::Answers(&[Verdict::Accepted(receipt(1)), forked])).unwrap();
        let (events, why) = effects.declined.unwrap();
        assert_eq!((events, why.name()), (vec![event(1, 3)], "DEVICE_FORKED"));
        exchange.receive(Tell::Records(&[seen(1, 1, 2)])).unwrap();
        exchange.receive(Tell::CaughtUp(at(1))).unwrap();
        assert_eq!(exchange.generate(), None);
        let mut unseen = returning(vec![lost], 0);
        let both = [Verdict::Accepted(receipt(1)), Verdict::Accepted(receipt(2))];
        unseen.receive(Tell::Answers(&both)).unwrap();
        let alarm = unseen.receive(Tell::CaughtUp(at(0)));
        assert!(matches!(alarm, Err(Alarm::Unseen { .. })), "{alarm:?}");
    }

    #[test]
    fn what_was_lost_twice_is_declined_once() {
        let lost = |id, numbers: &[u8]| Lost { id, rows: numbers.iter().map(|n| row(*n)).collect() };
        let mut exchange = returning(vec![lost(7, &[2, 3]), lost(9, &[3, 4]), lost(11, &[3])], 0);
        let refused = Verdict::Refused(Refusal::EnrolmentClosed);
        let effects = exchange.receive(Tell::Answers(&[Verdict::Accepted(receipt(1)), refused])).unwrap();
        assert_eq!(effects.declined.unwrap().0, [event(1, 3)]);
        // The second tail hands in the other alone, and the third nothing.
        assert_eq!(exchange.generate(), Some(Ask::Return { bundle: 9 }));
        exchange.receive(Tell::Answers(&[Verdict::Accepted(receipt(2))])).unwrap();
        exchange.receive(Tell::Records(&[seen(1, 1, 2), seen(2, 1, 4)])).unwrap();
        exchange.receive(Tell::CaughtUp(at(2))).unwrap();
        assert_eq!(exchange.generate(), None);
    }

    #[test]
    fn an_epoch_that_opens_makes_earlier_answers_void() {
        let mut exchange = level(1);
        exchange.receive(Tell::Answers(&[Verdict::Accepted(receipt(9))])).unwrap();
        let opens = Some(EpochId::from_slice(&[5; 16]).unwrap());
        exchange.receive(Tell::Records(&[Seen { opens, ..seen(1, 2, 1) }])).unwrap();
        exchange.receive(Tell::CaughtUp(at(1))).unwrap();
        assert_eq!(exchange.generate(), Some(Ask::Push { rows: 0..1 }));
    }

    #[test]
    fn a_busy_server_leaves_every_row_waiting() {
        let mut exchange = level(2);
        let effects = exchange.receive(Tell::Answers(&[Verdict::RetryLater { after_ms: 50 }])).unwrap();
        assert_eq!((effects.later, exchange.generate()), (Some(50), None));
    }

    #[test]
    fn answers_that_do_not_fit_the_rows_raise_the_alarm() {
        let one = Verdict::Accepted(receipt(1));
        assert!(level(2).receive(Tell::Answers(&[])).is_err());
        assert!(level(2).receive(Tell::Answers(std::slice::from_ref(&one))).is_err());
        assert!(level(1).receive(Tell::Answers(&[one.clone(), one])).is_err());
        let lost = level(1).receive(Tell::Answers(&[Verdict::Gap { expected: DeviceSeq::new(1) }]));
        assert_eq!(lost, Err(Alarm::LostNumber(DeviceSeq::new(1))));
    }
}
