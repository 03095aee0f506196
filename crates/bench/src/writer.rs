//! One municipality at its desk: a device with a key that edits an activity of its own, each time in sight of what it
//! wrote before, and waits for the receipt.

use prost::Message as _;
use radslag_client::author::{Act, Authored, Chain, author};
use radslag_client::remote::Remote;
use radslag_client::settings::Settings;
use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::{Authority, Base, Change, NewValue};
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceId, DeviceSeq, EntityId, MemberId, Position, ProgramId};
use radslag_core::value::Slot;
use radslag_engine::clock::{Clock, IdSource, SystemClock, SystemIds};
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::answer::Answer;
use radslag_proto::convert::bundle::{encode_bundle, encode_event};
use radslag_trust::bundle::sign_bundle;
use radslag_trust::keys::DeviceKey;

use crate::Failed;

/// A comment as people write them.
const COMMENT: &str = "Avstämning med näringslivscheferna i april; underlag skickas ut två veckor i förväg.";

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
}

fn fresh() -> EntityId {
    EntityId::new(SystemIds.random_id())
}

fn settings(server: &str, program: ProgramId, member: MemberId) -> Result<Settings, Failed> {
    Ok(Settings {
        server: server.to_owned(),
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
            added(writer.activity, subgoal),
        ];
        let bundle = writer.sign(drafts)?;
        let request = api::CreateProgramRequest { bundle: Some(bundle), request_id: String::new() };
        let response = remote.admin().create_program(request).await?.into_inner();
        writer.note(&response.answers, response.head.as_ref())?;
        Ok((writer, subgoal))
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
        let bundle = writer.sign(vec![Draft::new(enrolled), added(writer.activity, subgoal)])?;
        writer.push(remote, bundle).await?;
        Ok(writer)
    }

    /// The next edit, authored and signed.
    pub(crate) fn edit(&mut self) -> Result<api::Bundle, Failed> {
        let revised =
            Change::FieldRevised { entity: self.activity, field: FieldKey::Comment, value: NewValue::Sealed };
        let text = format!("{COMMENT} Version {}.", self.chain.seq.get());
        self.sign(vec![Draft::new(revised).with_text(Slot::COMMENT, &text)])
    }

    /// The programme that it writes in.
    pub(crate) const fn program(&self) -> ProgramId {
        self.settings.program
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

    /// Adds activities of its own, for [`Writer::edit_all`].
    pub(crate) async fn add(
        &mut self,
        remote: &Remote,
        subgoal: EntityId,
        count: usize,
    ) -> Result<(), Failed> {
        let fresh: Vec<EntityId> = (0..count).map(|_| fresh()).collect();
        let drafts = fresh.iter().map(|activity| added(*activity, subgoal)).collect();
        self.others.extend(fresh);
        let bundle = self.sign(drafts)?;
        self.push(remote, bundle).await
    }

    /// An edit of each of the first so many activities that it added, in one bundle.
    pub(crate) fn edit_all(&mut self, count: usize) -> Result<api::Bundle, Failed> {
        let version = self.chain.seq.get();
        let drafts = self.others.iter().take(count).map(|activity| comment(*activity, version)).collect();
        self.sign(drafts)
    }

    /// So many edits in one bundle, of the activities that it added, each in its turn and in sight of those before it.
    pub(crate) fn edit_next(&mut self, count: usize) -> Result<api::Bundle, Failed> {
        let version = self.chain.seq.get();
        let turns = (self.next..self.next + count).map(|turn| self.others[turn % self.others.len()]);
        let drafts: Vec<Draft> = turns.map(|activity| comment(activity, version)).collect();
        self.next += count;
        let mut authored = Vec::with_capacity(count);
        for draft in drafts {
            authored.extend(self.author(vec![draft])?);
        }
        Ok(self.bundle(authored))
    }

    /// The activity that [`Writer::edit`] edits.
    pub(crate) const fn activity(&self) -> EntityId {
        self.activity
    }

    /// The last record that it knows of.
    pub(crate) const fn base(&self) -> Position {
        self.base
    }

    /// Hands a bundle in and takes the receipts.
    pub(crate) async fn push(&mut self, remote: &Remote, bundle: api::Bundle) -> Result<(), Failed> {
        let request = api::PushRequest { bundle: Some(bundle), request_id: String::new() };
        let response = remote.sync().push(request).await?.into_inner();
        self.note(&response.answers, response.head.as_ref())
    }

    fn sign(&mut self, drafts: Vec<Draft>) -> Result<api::Bundle, Failed> {
        let authored = self.author(drafts)?;
        Ok(self.bundle(authored))
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

    fn bundle(&self, authored: Vec<Authored>) -> api::Bundle {
        let hashes: Vec<Digest> = authored.iter().map(|event| event.hash).collect();
        let signature = sign_bundle(&self.key, self.settings.program, self.settings.device, &hashes);
        let message = |event: Authored| encode_event(event.bytes, &event.values);
        let events = authored.into_iter().map(message).collect();
        encode_bundle(self.settings.program, self.settings.device, signature.bytes(), events)
    }

    /// A measurement of anything but accepted events would be a measurement of something else.
    fn note(&mut self, answers: &[api::Answer], head: Option<&api::Cursor>) -> Result<(), Failed> {
        let accepted = answers.iter().all(|answer| matches!(answer.answer, Some(Answer::Accepted(_))));
        if !accepted || answers.is_empty() {
            return Err(format!("the server did not accept an event: {answers:?}").into());
        }
        let head = head.ok_or("the server did not say where its log ends")?;
        self.base = Position::new(head.position);
        Ok(())
    }
}

fn comment(activity: EntityId, version: u64) -> Draft {
    let change = Change::FieldRevised { entity: activity, field: FieldKey::Comment, value: NewValue::Sealed };
    Draft::new(change).with_text(Slot::COMMENT, &format!("{COMMENT} Version {version}."))
}

fn added(activity: EntityId, subgoal: EntityId) -> Draft {
    let added = Change::ActivityAdded {
        activity,
        subgoal,
        order_key: "i".to_owned(),
        responsible: Vec::new(),
        lead: None,
        source: None,
    };
    Draft::new(added).with_text(Slot::TITLE, "Gemensamma företagsbesök")
}

/// The bytes of one push with one edit, as they travel: what the yardsticks carry.
pub(crate) fn payload() -> Result<Vec<u8>, Failed> {
    let program = ProgramId::new(SystemIds.random_id());
    let member = MemberId::new(SystemIds.random_id());
    let bundle = Writer::new(settings("http://127.0.0.1:0", program, member)?).edit()?;
    Ok(api::PushRequest { bundle: Some(bundle), request_id: String::new() }.encode_to_vec())
}
