//! Handing in again what a restored log lacks: as it was first signed, with the proof of where it stood, before the outbox.
//!
//! A lost record is settled once its event stands in the log again, accepted or rejected, or was refused. Rows are kept until
//! all of a tail is settled, so that a second restore finds them. Whoever held a record as accepted and sees it declined keeps
//! it in quarantine, with its text.

use std::collections::{BTreeMap, BTreeSet};

use radslag_core::digest::Digest;
use radslag_core::event::EventBody;
use radslag_core::id::{EpochId, EventId};
use radslag_core::record::{Entry, Facts, First, Recorded};
use radslag_core::verdict::Refusal;
use radslag_log::{Commit, ReadLimit, RowChange, RowKey, RowKind};
use radslag_proto::api::v1 as api;
use radslag_proto::convert::bundle::{
    PushedStood, decode_landed_bundle, encode_absent, encode_bundle, encode_event, encode_stood,
};
use radslag_sync::exchange as sync;
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::PublicKey;
use radslag_trust::merkle::{Continuation, Frontier};

use crate::author::{Authored, Chain};
use crate::error::ClientError;
use crate::parted::{Lost, LostTail};
use crate::quarantine::{Aside, Why};
use crate::replica::Replica;
use crate::steps::row;

fn damaged(what: impl std::fmt::Display) -> ClientError {
    ClientError::Unverified(format!("what was lost to a restore cannot be read: {what}"))
}

impl LostTail {
    /// The lost records that came in one bundle, bundle by bundle.
    fn bundles(&self) -> impl Iterator<Item = &[Lost]> {
        self.records.chunk_by(|a, b| a.stored.bundle_position == b.stored.bundle_position)
    }
}

/// What an exchange calls a bundle: the row of its first lost record.
fn number(members: &[Lost]) -> u64 {
    members.first().map_or(0, |lost| lost.number)
}

impl Replica {
    /// How many records that this replica held the restored log still lacks.
    pub fn still_lost(&self) -> usize {
        self.lost.iter().flat_map(|tail| &tail.records).filter(|lost| !self.is_settled(lost)).count()
    }

    /// Where this replica's log last parted from a restored one's, as long as something of it is kept.
    pub fn parted_at(&self) -> Option<radslag_core::id::Position> {
        self.lost.last().map(|tail| tail.cut)
    }

    fn is_settled(&self, lost: &Lost) -> bool {
        lost.refused || lost.event().is_none() || self.stands_again(lost)
    }

    /// Whether the log has a record for a lost event. Under its id alone may stand somebody else's, who took it in vain.
    fn stands_again(&self, lost: &Lost) -> bool {
        let log = self.log.as_ref();
        // A store that does not answer is heard of by whoever asks next; until then nothing is settled.
        if matches!(self.ledger.find_declined(log, lost.record.body_hash), Ok(Some(_))) {
            return true;
        }
        let Ok(Some(at)) = self.ledger.find(log, lost.record.event_id) else { return false };
        let read = self.log.read(self.settings.program, at, ReadLimit { records: 1, bytes: 0 });
        let hash = read.ok().and_then(|records| records.into_iter().next()).map(|record| record.body_hash);
        hash.is_some_and(|hash| hash == lost.record.body_hash.bytes())
    }

    /// The own events among what is lost, with where they stood: they are shown like what waits in the outbox.
    pub(crate) fn own_lost(&self) -> impl Iterator<Item = (Authored, First)> {
        let lost = self.lost.iter().flat_map(|tail| &tail.records).filter(|lost| !self.is_settled(lost));
        let own = lost.filter_map(|lost| {
            let event = lost.event().filter(|event| event.body.device_id == self.settings.device)?;
            Some((event, First { epoch: lost.epoch, position: lost.record.position }))
        });
        // Two restores may have taken the same event; each is shown once, in the order in which they were written.
        let own: BTreeMap<_, _> = own.map(|(event, first)| (event.body.device_seq, (event, first))).collect();
        own.into_values()
    }

    /// The own events that are shown and do not stand in the confirmed log, in order.
    pub fn unconfirmed(&self) -> Vec<EventId> {
        let lost = self.own_lost().map(|(event, _)| event.body.event_id);
        lost.chain(self.outbox.iter().map(|event| event.body.event_id)).collect()
    }

    /// The own chain's end in the confirmed log, as far as it was ever known.
    pub(crate) fn confirmed_chain(&self) -> Option<Chain> {
        let fence = self.ledger.fences.of(self.settings.device);
        let confirmed = Chain { seq: fence.last_seq(), hash: fence.last_body() };
        let lost = self.lost_numbers.map(|lost| lost.last);
        let last = lost.into_iter().chain([confirmed]).max_by_key(|chain| chain.seq);
        last.filter(|chain| chain.seq > radslag_core::id::DeviceSeq::ZERO)
    }

    /// What an exchange is to hand in before the outbox.
    pub(crate) fn lost_bundles(&self) -> Vec<sync::Lost> {
        let mut bundles: Vec<&[Lost]> = self.lost.iter().flat_map(LostTail::bundles).collect();
        let epochs = self.epochs_in_order();
        let rank = |epoch: EpochId| epochs.iter().position(|known| *known == epoch);
        // A later restore may have taken what lies before what an earlier one took.
        bundles.sort_by_key(|members| members.first().map(|lost| (rank(lost.epoch), lost.record.position)));
        let lost = bundles.into_iter().map(|members| {
            let open = members.iter().filter(|lost| !self.is_settled(lost));
            let rows = open.filter_map(|lost| Some(row(&lost.event()?))).collect();
            sync::Lost { id: number(members), rows }
        });
        lost.filter(|lost| !lost.rows.is_empty()).collect()
    }

    /// The first epoch, those of the log, and those that are lost themselves, as far as records in them are kept.
    fn epochs_in_order(&self) -> Vec<EpochId> {
        let known = self.ledger.state.epochs().iter().map(|epoch| epoch.id);
        let mut order: Vec<EpochId> = std::iter::once(EpochId::default()).chain(known).collect();
        for lost in self.lost.iter().flat_map(|tail| &tail.records) {
            if !order.contains(&lost.epoch) {
                order.push(lost.epoch);
            }
        }
        order
    }

    /// One of them, as it was first signed, with what proves where it stood.
    ///
    /// # Errors
    /// There is no such bundle, or what is kept of it does not read.
    pub fn lost_bundle(&mut self, id: u64) -> Result<api::Bundle, ClientError> {
        let holds = |tail: &LostTail| tail.bundles().any(|members| number(members) == id);
        let at = self.lost.iter().position(holds).ok_or_else(|| damaged("there is no such bundle"))?;
        // Its tree remembers what it computes.
        let mut tree = std::mem::replace(&mut self.lost[at].tree, Continuation::after(Frontier::new()));
        let made = self.make_lost_bundle(&self.lost[at], id, &mut tree);
        self.lost[at].tree = tree;
        made
    }

    fn make_lost_bundle(
        &self,
        tail: &LostTail,
        id: u64,
        tree: &mut Continuation,
    ) -> Result<api::Bundle, ClientError> {
        let members = tail.bundles().find(|members| number(members) == id).unwrap_or_default();
        let signed = members.first().and_then(|lost| lost.bundle.as_ref());
        let signed = signed.ok_or_else(|| damaged("a signature is missing"))?;
        let landed = decode_landed_bundle(signed).map_err(damaged)?;
        let mut absent: BTreeMap<u32, Digest> = landed.absent.iter().copied().collect();
        let proofs = Proofs::of(self, tail)?;
        let mut events = Vec::new();
        for lost in members {
            match lost.event().filter(|_| !self.is_settled(lost)) {
                Some(event) => {
                    let stood = proofs.stood(tree, lost).as_ref().map(encode_stood);
                    events.push(api::SignedEvent { stood, ..encode_event(event.bytes, &event.values) });
                }
                None => {
                    absent.insert(lost.stored.bundle_index, lost.record.body_hash);
                }
            }
        }
        let absent: Vec<(u32, Digest)> = absent.into_iter().collect();
        let message = encode_bundle(self.settings.program, landed.device, &landed.signature, events);
        Ok(api::Bundle { absent: encode_absent(&absent), checkpoints: proofs.notes(), ..message })
    }

    /// Keeps lost records that the server takes no more in quarantine.
    pub(crate) fn refuse_lost(&mut self, events: &[EventId], why: &Refusal) -> Result<usize, ClientError> {
        let mut aside = Aside::begin(self)?;
        // What was lost twice stands in two tails, and is put aside once.
        let mut put = BTreeSet::new();
        let why = Why { reason: why.name().to_owned(), detail: why.to_string(), ..Why::default() };
        for lost in self.lost.iter().flat_map(|tail| &tail.records) {
            let Some(event) = lost.event().filter(|event| events.contains(&event.body.event_id)) else {
                continue;
            };
            // One by one: a whole bundle, twice over, is more than a commit holds.
            let mut rows: Vec<RowChange> = Vec::new();
            if put.insert(event.body.event_id) {
                rows.extend(without_deletions(aside.put(self, &event, &why)));
            }
            rows.push(self.put_lost(&Lost { refused: true, ..lost.clone() }));
            self.log.commit(Commit { appends: Vec::new(), rows })?;
        }
        self.lost = self.read_lost()?;
        self.sweep_lost()?;
        Ok(put.len())
    }

    /// The accepted record under an event's id that is lost.
    pub(crate) fn find_lost(&self, event: EventId, body: Digest) -> Option<Authored> {
        let mut records = self.lost.iter().flat_map(|tail| &tail.records);
        let found = records.find(|lost| lost.record.event_id == event && lost.record.body_hash == body);
        found.and_then(Lost::event)
    }

    /// The quarantine rows of events that the log has accepted after all: a restored log judges anew what it lacks.
    pub(crate) fn redeemed(&self, taken: &[Recorded]) -> Result<Vec<RowChange>, ClientError> {
        if self.ledger.state.epochs().is_empty() {
            return Ok(Vec::new());
        }
        let accepted = |body: &EventBody| taken.iter().any(|record| record.body() == Some(body));
        let quarantine = RowKind::Quarantine;
        let row = |number| RowKey { program: self.settings.program, kind: quarantine, number };
        let held = self.quarantined()?.into_iter().filter(|held| accepted(&held.body));
        Ok(held.map(|held| RowChange::Delete(row(held.number))).collect())
    }

    /// Forgets the tails of which nothing is lost any more.
    pub(crate) fn sweep_lost(&mut self) -> Result<(), ClientError> {
        let (open, done): (Vec<LostTail>, Vec<LostTail>) = std::mem::take(&mut self.lost)
            .into_iter()
            .partition(|tail| tail.records.iter().any(|lost| !self.is_settled(lost)));
        self.lost = open;
        for tail in done {
            // Records first: what is left of a tail is read by what stands at its head.
            let numbers = tail.records.iter().rev().map(|lost| lost.number);
            let rows =
                numbers.chain([tail.first_row()]).map(|number| RowChange::Delete(self.lost_row(number)));
            self.log.commit(Commit { appends: Vec::new(), rows: rows.collect() })?;
        }
        Ok(())
    }
}

/// An event that is not in the outbox has no row there; the number of its device may be that of another's.
pub(crate) fn without_deletions(rows: Vec<RowChange>) -> impl Iterator<Item = RowChange> {
    rows.into_iter().filter(|change| matches!(change, RowChange::Put(..)))
}

/// What proves where the records of a tail stood.
struct Proofs(Vec<(Checkpoint, String)>);

impl Proofs {
    fn of(replica: &Replica, tail: &LostTail) -> Result<Self, ClientError> {
        let key = PublicKey::from_bytes(replica.ledger.state.log_key()).map_err(damaged)?;
        // The last ones: nobody was restored more often.
        let skip = tail.checkpoints.len().saturating_sub(16);
        let read = |note: &String| {
            let checkpoint = Checkpoint::verify(note, replica.settings.program, &key).map_err(damaged)?;
            Ok((checkpoint, note.clone()))
        };
        tail.checkpoints.iter().skip(skip).map(read).collect::<Result<_, ClientError>>().map(Self)
    }

    /// Where a record stood; none where no checkpoint covers it.
    fn stood(&self, tree: &mut Continuation, lost: &Lost) -> Option<PushedStood> {
        let Entry::Accepted { facts, .. } = &lost.record.entry else { return None };
        let position = lost.record.position;
        let (checkpoint, _) = self.0.iter().find(|(note, _)| note.epoch == lost.epoch)?;
        Some(PushedStood {
            first: First { epoch: lost.epoch, position },
            recorded_at: lost.record.recorded_at,
            facts_hash: Digest::of(&Facts::encode(facts)),
            path: tree.path(position.previous().get(), checkpoint.size)?,
        })
    }

    fn notes(self) -> Vec<String> {
        self.0.into_iter().map(|(_, note)| note).collect()
    }
}
