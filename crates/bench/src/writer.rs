//! One municipality at its desk: a device with a key that edits an activity of its own, each time in sight of what it
//! wrote before, and waits for the receipt.

use prost::Message as _;
use radslag_client::author::{Act, Authored, Chain, author};
use radslag_client::remote::Remote;
use radslag_client::settings::Settings;
use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::{Authority, Base, Change, PartyKind};
use radslag_core::id::{DeviceId, DeviceSeq, EntityId, MemberId, Position, ProgramId};
use radslag_core::value::Slot;
use radslag_engine::clock::{Clock, IdSource, SystemClock, SystemIds};
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::answer::Answer;
use radslag_proto::convert::bundle::{encode_bundle, encode_event};
use radslag_trust::bundle::sign_bundle;
use radslag_trust::keys::DeviceKey;
use tonic::codegen::Bytes;

use crate::Failed;
use crate::drafts::{Subject, activity_added, fresh};

/// A device and where its chain ends.
pub(crate) struct Writer {
    settings: Settings,
    key: DeviceKey,
    chain: Chain,
    base: Position,
    activity: EntityId,
    others: Vec<EntityId>,
    /// Which of them [`Writer::edit_next`] goes on with.
    next: usize,
    /// Whether it sees everything up to the answers that it gets.
    looks: bool,
}

fn settings(server: &str, program: ProgramId, member: MemberId) -> Result<Settings, Failed> {
    Ok(Settings {
        server: server.to_owned(),
        ca: None,
        program,
        org: "haninge".parse()?,
        member,
        name: "Anna Be".to_owned(),
        device: DeviceId::new(SystemIds.random_id()),
    })
}

impl Writer {
    fn new(settings: Settings) -> Self {
        Self {
            settings,
            key: DeviceKey::from_seed(SystemIds.random32()),
            chain: Chain { seq: DeviceSeq::new(0), hash: Digest::new([0; 32]) },
            base: Position::ZERO,
            activity: fresh(),
            others: Vec::new(),
            next: 0,
            looks: true,
        }
    }

    /// A writer that begins a programme on the server: with an organisation, a member, and a sub-goal for everybody's activities.
    pub(crate) async fn begin(remote: &Remote) -> Result<(Self, EntityId), Failed> {
        let program = ProgramId::new(SystemIds.random_id());
        let member = MemberId::new(SystemIds.random_id());
        let mut writer = Self::new(settings(remote.server(), program, member)?);
        let hello = remote.hello("").await?;
        let log_key = hello.log_key.try_into().map_err(|_| "the server's key is not 32 bytes")?;
        let created = Change::ProgramCreated { log_key, device_key: *writer.key.public().bytes(), rules: 1 };
        let (area, subgoal) = (fresh(), fresh());
        let key = || "i".to_owned();
        let org_id = writer.settings.org.clone();
        let drafts = vec![
            Draft::new(created).with_text(Slot::TITLE, "Södertörn"),
            Draft::new(Change::OrganisationAdmitted { org_id: org_id.clone(), party: None }),
            Draft::new(Change::MemberAdmitted { member_id: member, org_id })
                .with_text(Slot::MEMBER_NAME, "Anna Be"),
            Draft::new(Change::AreaAdded { area, order_key: key(), source: None })
                .with_text(Slot::TITLE, "Näringsliv"),
            Draft::new(Change::SubgoalAdded { subgoal, area, order_key: key(), source: None })
                .with_text(Slot::TITLE, "Fler företag"),
            activity_added(writer.activity, subgoal),
        ];
        let events = writer.author(drafts)?;
        let request =
            api::CreateProgramRequest { bundle: Some(writer.sign(events)), request_id: String::new() };
        let response = remote.admin().create_program(request).await?.into_inner();
        match writer.note(&response.answers, response.head.as_ref())? {
            0 => Ok((writer, subgoal)),
            declined => Err(format!("the server declined {declined} events of a new programme").into()),
        }
    }

    /// Another device of the same member, enrolled, with an activity of its own.
    pub(crate) async fn join(&self, remote: &Remote, subgoal: EntityId) -> Result<Self, Failed> {
        let settings = settings(remote.server(), self.settings.program, self.settings.member)?;
        let mut writer = Self::new(settings);
        let enrolled = Change::DeviceEnrolled {
            device_id: writer.settings.device,
            public_key: *writer.key.public().bytes(),
            member_id: writer.settings.member,
            org_id: writer.settings.org.clone(),
            authority: Authority::Open,
        };
        let events = writer.author(vec![Draft::new(enrolled), activity_added(writer.activity, subgoal)])?;
        writer.push(remote, events).await?;
        Ok(writer)
    }

    /// So many edits of its own activity, each in sight of the one before it.
    pub(crate) fn edit(&mut self, count: usize) -> Result<Vec<Authored>, Failed> {
        self.edit_field(self.activity, Subject::Comment, count)
    }

    /// So many edits of one field, each in sight of the one before it.
    pub(crate) fn edit_field(
        &mut self,
        activity: EntityId,
        subject: Subject,
        count: usize,
    ) -> Result<Vec<Authored>, Failed> {
        let mut authored = Vec::with_capacity(count);
        for _ in 0..count {
            authored.extend(self.author(vec![subject.draft(activity, self.version())?])?);
        }
        Ok(authored)
    }

    /// What the next edit says: something that no other device says, and odd after even.
    fn version(&self) -> u64 {
        let [high, low, ..] = *self.settings.device.bytes();
        u64::from(u16::from_be_bytes([high, low])) * 1_000_000 + self.chain.seq.get()
    }

    /// An edit of each of the first so many activities that it added.
    pub(crate) fn edit_all(&mut self, count: usize) -> Result<Vec<Authored>, Failed> {
        let version = self.version();
        let few = self.others.iter().take(count);
        let drafts: Result<Vec<Draft>, Failed> =
            few.map(|activity| Subject::Comment.draft(*activity, version)).collect();
        self.author(drafts?)
    }

    /// So many edits of the activities that it added, each in its turn and in sight of those before it.
    pub(crate) fn edit_next(&mut self, count: usize) -> Result<Vec<Authored>, Failed> {
        let mut authored = Vec::with_capacity(count);
        for turn in self.next..self.next + count {
            let activity = self.others[turn % self.others.len()];
            authored.extend(self.edit_field(activity, Subject::Comment, 1)?);
        }
        self.next += count;
        Ok(authored)
    }

    /// The programme that it writes in.
    pub(crate) const fn program(&self) -> ProgramId {
        self.settings.program
    }

    /// The activity that [`Writer::edit`] edits.
    pub(crate) const fn activity(&self) -> EntityId {
        self.activity
    }

    /// Where the log ended when it last looked.
    pub(crate) const fn head(&self) -> u64 {
        self.base.get()
    }

    /// Looks at what the others have done meanwhile.
    pub(crate) async fn look(&mut self, remote: &Remote) -> Result<(), Failed> {
        let head = remote.hello(&self.settings.program.to_string()).await?.head;
        self.base = Position::new(head.map_or(0, |head| head.position));
        Ok(())
    }

    /// From now on it sees of the log what it has written itself, as a replica does that only hands in.
    pub(crate) const fn look_no_more(&mut self) {
        self.looks = false;
    }

    /// Adds activities of its own, for [`Writer::edit_all`] and [`Writer::edit_next`].
    pub(crate) async fn add(
        &mut self,
        remote: &Remote,
        subgoal: EntityId,
        count: usize,
    ) -> Result<(), Failed> {
        let fresh: Vec<EntityId> = (0..count).map(|_| fresh()).collect();
        let drafts = fresh.iter().map(|activity| activity_added(*activity, subgoal)).collect();
        self.others.extend(fresh);
        let authored = self.author(drafts)?;
        self.push(remote, authored).await
    }

    /// Adds parties.
    pub(crate) async fn add_parties(
        &mut self,
        remote: &Remote,
        count: usize,
    ) -> Result<Vec<EntityId>, Failed> {
        let parties: Vec<EntityId> = (0..count).map(|_| fresh()).collect();
        let draft = |(number, party): (usize, &EntityId)| {
            let kind = PartyKind::Organisation;
            let added = Change::PartyAdded { party: *party, kind, organisation: None, source: None };
            Draft::new(added).with_text(Slot::NAME, &format!("Kommun {number}"))
        };
        let authored = self.author(parties.iter().enumerate().map(draft).collect())?;
        self.push(remote, authored).await?;
        Ok(parties)
    }

    /// Signs and hands in; every event is accepted, for a measurement of anything else would be a measurement of something else.
    pub(crate) async fn push(&mut self, remote: &Remote, events: Vec<Authored>) -> Result<(), Failed> {
        match self.hand_in(remote, events).await? {
            0 => Ok(()),
            declined => Err(format!("the server declined {declined} events").into()),
        }
    }

    /// Signs and hands in, and gives how many events the rules declined.
    pub(crate) async fn hand_in(&mut self, remote: &Remote, events: Vec<Authored>) -> Result<u64, Failed> {
        let request = api::PushRequest { bundle: Some(self.sign(events)), request_id: String::new() };
        let response = remote.sync().push(request).await?.into_inner();
        self.note(&response.answers, response.head.as_ref())
    }

    /// Events that were all written in sight of the same.
    fn author(&mut self, drafts: Vec<Draft>) -> Result<Vec<Authored>, Failed> {
        let base = Base { position: self.base, seq: self.chain.seq, ..Base::default() };
        let now = SystemClock.now();
        let authored =
            author(&self.settings, &SystemIds, now, base, self.chain, drafts, &Act::default(), false)?;
        if let Some(last) = authored.last() {
            self.chain = Chain { seq: last.body.device_seq, hash: last.hash };
        }
        Ok(authored)
    }

    fn sign(&self, authored: Vec<Authored>) -> api::Bundle {
        let hashes: Vec<Digest> = authored.iter().map(|event| event.hash).collect();
        let signature = sign_bundle(&self.key, self.settings.program, self.settings.device, &hashes);
        let message = |event: Authored| encode_event(event.bytes, &event.values);
        let events = authored.into_iter().map(message).collect();
        encode_bundle(self.settings.program, self.settings.device, signature.bytes(), events)
    }

    /// How many events were declined. One that was not even recorded, or that is not said, ends the run.
    fn note(&mut self, answers: &[api::Answer], head: Option<&api::Cursor>) -> Result<u64, Failed> {
        let mut declined = 0;
        for answer in answers {
            match &answer.answer {
                Some(Answer::Accepted(_)) => {}
                Some(Answer::Rejected(_)) => declined += 1,
                other => return Err(format!("the server did not take an event: {other:?}").into()),
            }
        }
        let head = head.ok_or("the server did not say where its log ends")?;
        if answers.is_empty() {
            return Err("the server did not say what became of an event".into());
        }
        if self.looks {
            self.base = Position::new(head.position);
        }
        Ok(declined)
    }
}

/// What events take as they are signed: bodies, values, and one signature.
pub(crate) fn raw_bytes(events: &[Authored]) -> u64 {
    /// How long a signature is.
    const SIGNATURE: usize = 64;
    (events.iter().map(Authored::size).sum::<usize>() + SIGNATURE) as u64
}

/// What the yardsticks carry.
pub(crate) struct Payload {
    /// One push, as it travels.
    pub(crate) push: Bytes,
    /// One event with its values, as it could be stored.
    pub(crate) event: Bytes,
}

/// One push with so many edits.
pub(crate) fn payload(batch: usize) -> Result<Payload, Failed> {
    let program = ProgramId::new(SystemIds.random_id());
    let member = MemberId::new(SystemIds.random_id());
    let mut writer = Writer::new(settings("http://127.0.0.1:0", program, member)?);
    let events = writer.edit(batch)?;
    let bundle = writer.sign(events);
    let event = bundle.events.first().map(prost::Message::encode_to_vec).unwrap_or_default();
    let request = api::PushRequest { bundle: Some(bundle), request_id: String::new() };
    Ok(Payload { push: request.encode_to_vec().into(), event: event.into() })
}
