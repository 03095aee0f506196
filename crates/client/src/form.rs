//! What somebody is looking at while they write: a form, a second window, an exported table.
//!
//! A form is opened on what the replica shows, and what is written in it later has seen that and no more, whatever was edited
//! or pulled meanwhile. Its text, the *base token* of `docs/json.md`, outlives the process. It names the last own event by a
//! digest, not by its number alone: a number whose event was given up stands for another event later.

use std::fmt;
use std::str::FromStr;

use radslag_core::as_of::Recorded;
use radslag_core::digest::{Digest, Hasher};
use radslag_core::event::{Base, EventBody};
use radslag_core::id::{DeviceSeq, EpochId, Position};
use radslag_core::record::{Entry, First};
use radslag_core::state::State;
use radslag_engine::read::walk;

use crate::error::ClientError;
use crate::replica::{Replica, View};

/// A few digits of something long: enough to tell it from any other, too few to be it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag([u8; 4]);

impl Tag {
    fn of(bytes: &[u8]) -> Self {
        let mut tag = [0; 4];
        tag.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self(tag)
    }

    fn parse(text: &str) -> Option<Self> {
        u32::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A view that somebody writes in sight of, to be kept until they have written.
///
/// Two windows of one office, each on what the programme showed when it was opened. The second one does not overwrite what
/// the first one wrote meanwhile:
///
/// ```
/// # use std::sync::Arc;
/// # use radslag_client::author::Act;
/// # use radslag_client::clock::{IdSource as _, SystemClock, SystemIds};
/// # use radslag_client::fork::Keys;
/// # use radslag_client::form::Form;
/// # use radslag_client::replica::Replica;
/// # use radslag_client::settings::Settings;
/// # use radslag_client::{ClientError, DeviceKey};
/// # use radslag_core::command::{self, Draft, Edit, To};
/// # use radslag_core::event::{Base, Change};
/// # use radslag_core::field::FieldKey;
/// # use radslag_core::id::{DeviceId, EntityId, EventId, MemberId, ProgramId};
/// # use radslag_core::value::Slot;
/// # use radslag_core::view;
/// # let settings = Settings {
/// #     server: "http://127.0.0.1:1".to_owned(),
/// #     ca: None,
/// #     program: ProgramId::new(SystemIds.random_id()),
/// #     org: "haninge".parse()?,
/// #     member: MemberId::new(SystemIds.random_id()),
/// #     name: "Eva".to_owned(),
/// #     device: DeviceId::new(SystemIds.random_id()),
/// # };
/// # let key = DeviceKey::from_seed([7; 32]);
/// # let created = Change::ProgramCreated { log_key: [9; 32], device_key: *key.public().bytes(), rules: 1 };
/// # let org = Change::OrganisationAdmitted { org_id: settings.org.clone(), party: None };
/// # let member = Change::MemberAdmitted { member_id: settings.member, org_id: settings.org.clone() };
/// # let program = EntityId::from(settings.program);
/// # let keys = Keys::Held(Arc::default());
/// # let log = Arc::new(radslag_log::MemoryLog::default());
/// # let mut replica = Replica::on(log, settings, key, keys, Arc::new(SystemClock), Arc::new(SystemIds))?;
/// # let first = vec![
/// #     Draft::new(created).with_text(Slot::TITLE, "Program"),
/// #     Draft::new(org),
/// #     Draft::new(member).with_text(Slot::MEMBER_NAME, "Eva"),
/// # ];
/// # replica.queue(Base::default(), first, &Act::default(), false)?;
/// fn write(replica: &mut Replica, form: &Form, title: &str) -> Result<Vec<EventId>, ClientError> {
///     let program = replica.settings.program.into();
///     let edit = Edit { field: FieldKey::Title, to: To::Text(title.to_owned()) };
///     let view = replica.view_of(form)?; // what the person was looking at, not what is there by now
///     let drafts = command::revise(&view.state, &view, view.day(), program, &[edit])?;
///     let base = view.base;
///     drop(view);
///     replica.queue(base, drafts, &Act::default(), false)
/// }
///
/// let (one, two) = (replica.form(), replica.form());
/// write(&mut replica, &one, "Program 2026")?;
/// // A page of a web form carries the text of its form, and the process may have been another one.
/// let two: Form = two.to_string().parse()?;
/// write(&mut replica, &two, "Program för 2026")?;
///
/// let view = replica.view();
/// let [conflict] = &view::conflicts(&view.state)[..] else { panic!("one conflict") };
/// assert_eq!(conflict.sides.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    position: Position,
    seq: DeviceSeq,
    program: Tag,
    own: Tag,
    epoch: Option<Tag>,
}

/// A text that is not a base token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a base; write it as radslag status prints it, such as 98.12.d3df318b.6adef326.dbfa")]
pub struct NotABase(String);

/// Why nothing can be written in sight of a form any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitForm {
    /// It shows another programme.
    #[error("the base is of the programme {base}…, this replica is of {own}…")]
    OtherProgram {
        /// The form's programme.
        base: Tag,
        /// The replica's.
        own: Tag,
    },
    /// The replica does not have what it shows.
    #[error("the base is position {position}, this replica has {head}")]
    Ahead {
        /// The form's position.
        position: Position,
        /// The replica's.
        head: Position,
    },
    /// It is of an epoch that the log does not have.
    #[error("the base is of the epoch {0}…, which this replica's log does not have")]
    UnknownEpoch(Tag),
    /// Its own changes are not this replica's.
    #[error(
        "the base is not of what this replica showed: another one did, or a queued change in it has been given up since"
    )]
    NotShownHere,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = format!("{}.{}.{}.{}", self.position, self.seq, self.program, self.own);
        if let Some(epoch) = self.epoch {
            said.push_str(&format!(".{epoch}"));
        }
        let check = Digest::of(said.as_bytes());
        let [one, two, ..] = check.bytes();
        write!(f, "{said}.{one:02x}{two:02x}")
    }
}

impl FromStr for Form {
    type Err = NotABase;

    fn from_str(text: &str) -> Result<Self, NotABase> {
        // What is written back as it was read has no other spelling, and its check digits are right.
        let read = read(text).filter(|form| form.to_string() == text);
        read.ok_or_else(|| NotABase(text.to_owned()))
    }
}

fn read(text: &str) -> Option<Form> {
    let parts: Vec<&str> = text.split('.').collect();
    let (position, seq, program, own, epoch) = match parts.as_slice() {
        [position, seq, program, own, _] => (position, seq, program, own, None),
        [position, seq, program, own, epoch, _] => (position, seq, program, own, Some(Tag::parse(epoch)?)),
        _ => return None,
    };
    Some(Form {
        position: Position::new(position.parse().ok()?),
        seq: DeviceSeq::new(seq.parse().ok()?),
        program: Tag::parse(program)?,
        own: Tag::parse(own)?,
        epoch,
    })
}

impl Replica {
    /// Opens a form on what the replica shows now.
    pub fn form(&self) -> Form {
        let chain = self.chain();
        let own = self.own_tag(chain.hash);
        self.form_at(self.ledger.state.epoch(), self.ledger.state.head(), chain.seq, own)
    }

    /// Opens a form on the confirmed programme as of an earlier record, without anything queued.
    pub fn form_as_of(&self, state: &State) -> Form {
        let own = self.own_tag(Digest::ZERO);
        self.form_at(state.epoch(), state.head(), DeviceSeq::ZERO, own)
    }

    /// The form of what another replica showed, as far as this one has it: the confirmed programme up to the form's position, without
    /// what was only queued there. It claims to have seen less than the one before whom it was opened, so that what that one queued can
    /// come out as the other side of a conflict, and nothing is covered unseen.
    ///
    /// # Errors
    /// It is of another programme, of an epoch that this log does not have, or ahead of it; or the store does not answer.
    pub fn form_from_elsewhere(&self, form: &Form) -> Result<Form, ClientError> {
        let own = Tag::of(self.settings.program.bytes());
        if form.program != own {
            return Err(UnfitForm::OtherProgram { base: form.program, own }.into());
        }
        let base = Base { epoch: self.epoch_of(form)?, position: form.position, seq: DeviceSeq::ZERO };
        let (reached, head) = (self.ledger.state.clamp(&base), self.ledger.state.head());
        if reached > head {
            return Err(UnfitForm::Ahead { position: form.position, head }.into());
        }
        Ok(self.form_as_of(&self.state_at(Recorded::Position(reached))?))
    }

    fn form_at(&self, epoch: EpochId, position: Position, seq: DeviceSeq, own: Tag) -> Form {
        let epoch = (!epoch.is_zero()).then(|| Tag::of(epoch.bytes()));
        Form { position, seq, program: Tag::of(self.settings.program.bytes()), own, epoch }
    }

    /// Stands for all own events up to the one with this body: each body names the one before it.
    fn own_tag(&self, body: Digest) -> Tag {
        let mut hasher = Hasher::new("radslag/base/v1\n");
        hasher.put(self.settings.device.bytes()).put(body.bytes());
        Tag::of(hasher.finish().bytes())
    }

    /// The base of what is written in a form, checked: this replica showed what the form shows, and it is closed.
    ///
    /// # Errors
    /// The replica did not show it, or has not got that far; or the store does not answer.
    pub fn base_of(&self, form: &Form) -> Result<Base, ClientError> {
        let own = Tag::of(self.settings.program.bytes());
        if form.program != own {
            return Err(UnfitForm::OtherProgram { base: form.program, own }.into());
        }
        let base = Base { epoch: self.epoch_of(form)?, position: form.position, seq: form.seq };
        let head = self.ledger.state.head();
        if self.ledger.state.clamp(&base) > head {
            return Err(UnfitForm::Ahead { position: form.position, head }.into());
        }
        let last = self.own_body(&base)?;
        if last.is_none_or(|body| self.own_tag(body) != form.own) {
            return Err(UnfitForm::NotShownHere.into());
        }
        self.check_base(&base).map_err(|refusal| ClientError::WouldBeRefused(Box::new(refusal)))?;
        Ok(base)
    }

    fn epoch_of(&self, form: &Form) -> Result<EpochId, UnfitForm> {
        let Some(tag) = form.epoch else { return Ok(EpochId::default()) };
        let mut known = self.ledger.state.epochs().iter().map(|epoch| epoch.id);
        known.find(|id| Tag::of(id.bytes()) == tag).ok_or(UnfitForm::UnknownEpoch(tag))
    }

    /// SHA-256 of the body of the last own event that a base names; none where there is no such event.
    fn own_body(&self, base: &Base) -> Result<Option<Digest>, ClientError> {
        let fence = self.ledger.fences.of(self.settings.device);
        if base.seq == DeviceSeq::ZERO {
            return Ok(Some(Digest::ZERO));
        }
        if let Some(queued) = self.outbox.iter().find(|event| event.body.device_seq == base.seq) {
            return Ok(Some(queued.hash));
        }
        if let Some((lost, _)) = self.own_lost().find(|(lost, _)| lost.body.device_seq == base.seq) {
            return Ok(Some(lost.hash));
        }
        if let Some(lost) = self.lost_numbers.filter(|lost| lost.last.seq == base.seq) {
            return Ok(Some(lost.last.hash));
        }
        if base.seq >= fence.last_seq() {
            return Ok((base.seq == fence.last_seq()).then(|| fence.last_body()));
        }
        let (program, first) = (self.settings.program, self.origin().head().next());
        let mut found = None;
        walk(self.log.as_ref(), program, first, self.ledger.state.head(), |record| {
            let own = match &record.entry {
                Entry::Accepted { body, .. } => (body.device_id, body.device_seq),
                Entry::Rejected(facts) => (facts.device_id, facts.device_seq),
            };
            if own == (self.settings.device, base.seq) {
                found = Some(record.body_hash);
            }
        })?;
        Ok(found)
    }

    /// What a form shows, as the replica showed it when it was opened. What has been rejected since is left out.
    ///
    /// # Errors
    /// As for [`Replica::base_of`].
    pub fn view_of(&self, form: &Form) -> Result<View<'_>, ClientError> {
        self.view_of_for(form, None)
    }

    /// What a form shows, on the confirmed programme as `now` and `earlier` give it.
    pub(crate) fn view_in(
        &self,
        form: &Form,
        now: impl FnOnce() -> Result<State, ClientError>,
        earlier: impl FnOnce(Position) -> Result<State, ClientError>,
    ) -> Result<View<'_>, ClientError> {
        let base = self.base_of(form)?;
        if base == self.base() {
            return Ok(self.view_on(now()?));
        }
        let reached = self.ledger.state.clamp(&base);
        let state = if reached == self.ledger.state.head() { now()? } else { earlier(reached)? };
        let mut view = View::on(self, base, state);
        for (body, hash) in self.seen_since(&base, reached)? {
            // Its values are in the log.
            if let Err(rejection) = view.land(&body, hash, None) {
                view.doubtful.push((body.event_id, rejection));
            }
        }
        for (event, first) in self.own_lost().filter(|(event, _)| event.body.device_seq <= base.seq) {
            if let Err(rejection) = view.take_as(&event, Some(first)) {
                view.doubtful.push((event.body.event_id, rejection));
            }
        }
        for event in self.outbox.iter().filter(|event| event.body.device_seq <= base.seq) {
            if let Err(rejection) = view.take(event) {
                view.doubtful.push((event.body.event_id, rejection));
            }
        }
        Ok(view)
    }

    /// The events among the records after `reached` that are in the base all the same: own ones, which were queued then,
    /// and those that stood before a restore where the base says.
    fn seen_since(&self, base: &Base, reached: Position) -> Result<Vec<(EventBody, Digest)>, ClientError> {
        let (program, state) = (self.settings.program, &self.ledger.state);
        let mut seen = Vec::new();
        walk(self.log.as_ref(), program, reached.next(), state.head(), |record| {
            let Entry::Accepted { body, facts } = record.entry else { return };
            let own = body.device_id == self.settings.device && body.device_seq <= base.seq;
            let before = |first: First| first.epoch == base.epoch && first.position <= base.position;
            if own || facts.first.is_some_and(before) {
                seen.push((*body, record.body_hash));
            }
        })?;
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(epoch: Option<Tag>) -> Form {
        let (position, seq) = (Position::new(98), DeviceSeq::new(12));
        Form { position, seq, program: Tag(*b"\xd3\xdf\x31\x8b"), own: Tag(*b"\x6a\xde\xf3\x26"), epoch }
    }

    #[test]
    fn a_form_reads_back_from_its_text() {
        let first = form(None);
        assert_eq!(first.to_string(), "98.12.d3df318b.6adef326.dbfa");
        assert_eq!(first.to_string().parse(), Ok(first));
        let restored = form(Some(Tag(*b"\xe5\xf6\x07\x18")));
        assert!(restored.to_string().starts_with("98.12.d3df318b.6adef326.e5f60718."));
        assert_eq!(restored.to_string().parse(), Ok(restored));
    }

    #[test]
    fn no_slip_of_one_letter_is_another_form() {
        let text = form(None).to_string();
        for at in 0..text.len() {
            for slip in "0123456789abcdef.+-AG".chars().filter(|slip| !text[at..].starts_with(*slip)) {
                let slipped = format!("{}{slip}{}", &text[..at], &text[at + 1..]);
                assert!(slipped.parse::<Form>().is_err(), "{slipped}");
            }
            let short = format!("{}{}", &text[..at], &text[at + 1..]);
            assert!(short.parse::<Form>().is_err(), "{short}");
        }
        for wrong in ["", ".", "98", "98.12", "......", "98.12.d3df318b.6adef326", "å.å.å.å.å"] {
            assert_eq!(wrong.parse::<Form>(), Err(NotABase(wrong.to_owned())));
        }
    }
}
