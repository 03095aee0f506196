//! What a restored log lacks, handed in again: the proof of where it stood, and what the proof is worth.

use radslag_core::digest::Digest;
use radslag_core::id::{EpochId, Position};
use radslag_core::record::{Entry, Facts, First};
use radslag_core::verdict::{Refusal, Verdict};
use radslag_engine::ledger::{Signatures, leaf_hash, read_record};
use radslag_log::{EventLog as _, ReadLimit};
use radslag_proto::convert::bundle::{PushedBundle, PushedStood};
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::merkle::inclusion_path;

use crate::desk::{Desk, Written, comment, entity, program};
use crate::server::Server;

const ALL: ReadLimit = ReadLimit { records: 1_000, bytes: 1 << 20 };

/// What a replica has that is level with the log: a checkpoint, and the leaves to prove with.
struct Held {
    checkpoint: String,
    leaves: Vec<Digest>,
    facts: Vec<Option<(Facts, i64)>>,
    epoch: EpochId,
}

impl Held {
    fn of(server: &Server) -> Self {
        let (mut signatures, mut leaves, mut facts) = (Signatures::default(), Vec::new(), Vec::new());
        for stored in server.log.read(program(), Position::ZERO, ALL).unwrap() {
            let record = read_record(&stored).unwrap();
            let signature = signatures.of(&server.log, program(), &stored).unwrap();
            leaves.push(leaf_hash(&record, &signature));
            facts.push(match record.entry {
                Entry::Accepted { facts, .. } => Some((facts, record.recorded_at.micros())),
                Entry::Rejected(_) => None,
            });
        }
        let (epoch, frontier) = (server.published.state.epoch(), &server.published.frontier);
        let checkpoint =
            Checkpoint { program: program(), epoch, size: frontier.size(), root: frontier.root() }
                .sign(&server.key);
        Self { checkpoint, leaves, facts, epoch }
    }

    fn stood(&self, position: Position) -> PushedStood {
        let index = usize::try_from(position.previous().get()).unwrap();
        let (facts, recorded_at) = self.facts[index].clone().unwrap();
        PushedStood {
            first: First { epoch: self.epoch, position },
            recorded_at: radslag_core::time::Instant::from_micros(recorded_at),
            facts_hash: Digest::of(&facts.encode()),
            path: inclusion_path(&self.leaves, index).unwrap(),
        }
    }

    /// A bundle as it was first signed, with proofs for the events that stood from `first` on.
    fn proved(&self, desk: &Desk, events: &[Written], first: Position) -> PushedBundle {
        let mut bundle = desk.sign(events);
        bundle.checkpoints = vec![self.checkpoint.clone()];
        let mut position = first;
        for event in &mut bundle.events {
            event.stood = Some(self.stood(position));
            position = position.next();
        }
        bundle
    }
}

fn accepted(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| matches!(verdict, Verdict::Accepted(_)))
}

fn first_of(server: &Server, at: Position) -> Option<First> {
    let stored = server.log.read(program(), at, ReadLimit { records: 1, bytes: 0 }).unwrap();
    match read_record(&stored[0]).unwrap().entry {
        Entry::Accepted { facts, .. } => facts.first,
        Entry::Rejected(_) => panic!("{at} was rejected"),
    }
}

/// Two edits in one bundle that a restore takes away; what was held of them, and where the first stood.
fn lost() -> (Server, Desk, Vec<Written>, Held, Position) {
    let mut desks = [Desk::new(1), Desk::new(2)];
    let mut server = Server::with(&mut desks);
    let kept = server.commits.len();
    let [_, mut desk] = desks;
    let drafts = ["ett", "två"].map(|text| comment(entity(3), text)).to_vec();
    let events = desk.write_all(server.base(&desk), server.now, drafts);
    let first = server.head().next();
    assert!(accepted(&server.hand_in(&desk, &events)));
    let held = Held::of(&server);
    server.restore(kept);
    server.open_epoch().unwrap();
    (server, desk, events, held, first)
}

#[test]
fn a_lost_record_keeps_the_place_that_it_proves() {
    let (mut server, desk, events, held, first) = lost();
    assert!(accepted(&server.push(held.proved(&desk, &events, first))));
    let at = server.head().previous();
    assert_eq!(first_of(&server, at), Some(First { epoch: EpochId::default(), position: first }));
    let again = server.push(held.proved(&desk, &events, first));
    assert!(matches!(again[..], [Verdict::DuplicateAccepted(_), Verdict::DuplicateAccepted(_)]), "{again:?}");
    server.verify().unwrap();
}

#[test]
fn a_member_comes_alone_under_the_first_signature_with_the_others_named_absent() {
    let (mut server, desk, events, held, first) = lost();
    let mut bundle = held.proved(&desk, &events, first);
    let gone = bundle.events.remove(0);
    bundle.absent = vec![(0, Digest::of(&gone.body_bytes))];
    assert!(accepted(&server.push(bundle.clone())));
    server.verify().unwrap();
    bundle.absent = vec![(0, Digest::of(b"another"))];
    assert!(matches!(server.push(bundle.clone())[..], [Verdict::Refused(Refusal::BadSignature { .. })]));
    bundle.absent = vec![(7, Digest::of(&gone.body_bytes))];
    assert!(matches!(server.push(bundle)[..], [Verdict::Refused(Refusal::BadSignature { .. })]));
}

#[test]
fn a_proof_that_does_not_hold_is_refused_and_changes_nothing() {
    let (mut server, desk, events, held, first) = lost();
    let head = server.head();
    type Spoil = fn(&mut PushedBundle, &Held);
    let spoils: [Spoil; 7] = [
        |bundle, _| bundle.events[0].stood.as_mut().unwrap().path.clear(),
        |bundle, _| bundle.events[0].stood.as_mut().unwrap().path[0] = Digest::of(b"other"),
        |bundle, _| bundle.events[0].stood.as_mut().unwrap().facts_hash = Digest::of(b"other"),
        |bundle, held| {
            bundle.events[0].stood.as_mut().unwrap().first.position = Position::new(held.leaves.len() as u64)
        },
        |bundle, _| {
            bundle.events[0].stood.as_mut().unwrap().first.epoch = EpochId::from_slice(&[3; 16]).unwrap()
        },
        |bundle, _| bundle.checkpoints.clear(),
        |bundle, _| bundle.checkpoints[0] = bundle.checkpoints[0].replace('\n', "\n "),
    ];
    for (number, spoil) in spoils.iter().enumerate() {
        let mut bundle = held.proved(&desk, &events, first);
        spoil(&mut bundle, &held);
        let verdicts = server.push(bundle);
        assert!(matches!(verdicts[..], [Verdict::Refused(Refusal::ProofUnfit(_))]), "{number}: {verdicts:?}");
        assert_eq!(server.head(), head);
    }
    assert!(accepted(&server.push(held.proved(&desk, &events, first))));
}

#[test]
fn a_place_that_no_restore_took_is_worth_nothing_and_the_record_is_judged_like_any_other() {
    let mut desks = [Desk::new(1), Desk::new(2)];
    let mut server = Server::with(&mut desks);
    let [_, mut desk] = desks;
    let kept = server.commits.len();
    server.open_epoch().unwrap();
    let events = vec![desk.write(server.base(&desk), server.now, comment(entity(3), "ett"))];
    let first = server.head().next();
    assert!(accepted(&server.hand_in(&desk, &events)));
    let held = Held::of(&server);
    // From before that epoch: it is lost itself, and so is what a place in it would say.
    server.restore(kept);
    server.open_epoch().unwrap();
    assert!(accepted(&server.push(held.proved(&desk, &events, first))));
    assert_eq!(first_of(&server, server.head()), None);
    server.verify().unwrap();
}

#[test]
fn a_device_whose_enrolment_was_lost_comes_back_where_nobody_may_enrol() {
    let mut desks = [Desk::new(1)];
    let mut server = Server::with(&mut desks);
    let kept = server.commits.len();
    let mut late = Desk::new(2);
    let drafts = late.join();
    let events = late.write_all(server.base(&late), server.now, drafts);
    let first = server.head().next();
    assert!(accepted(&server.hand_in(&late, &events)));
    let held = Held::of(&server);
    server.restore(kept);
    server.open_epoch().unwrap();
    server.open_enrolment = false;
    assert!(matches!(server.hand_in(&late, &events)[..], [Verdict::Refused(Refusal::EnrolmentClosed)]));
    assert!(accepted(&server.push(held.proved(&late, &events, first))));
    server.verify().unwrap();
}
