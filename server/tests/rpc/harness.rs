//! A server in this process, clients of it, and devices that sign.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use radslag_core::digest::Digest;
use radslag_core::event::{Authority, Base, Change, EventBody, NewValue, ValueDigest};
use radslag_core::field::FieldKey;
use radslag_core::id::{
    DeviceId, DeviceSeq, EntityId, EpochId, EventId, MemberId, OrgId, Position, ProgramId,
};
use radslag_core::time::{CivilDate, Instant};
use radslag_core::value::{Slot, Value};
use radslag_engine::clock::{Clock, IdSource as _, SystemClock, SystemIds};
use radslag_log::{Around, Commit, EventLog, LogError, MemoryLog};
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::admin_service_client::AdminServiceClient;
use radslag_proto::api::v1::audit_service_client::AuditServiceClient;
use radslag_proto::api::v1::program_service_client::ProgramServiceClient;
use radslag_proto::api::v1::sync_service_client::SyncServiceClient;
use radslag_proto::convert::bundle::{encode_bundle, encode_event};
use radslag_proto::convert::event::encode_body;
use radslag_proto::status::{ApiError, from_status};
use radslag_server::{Config, Running, start_on};
use radslag_trust::bundle::sign_bundle;
use radslag_trust::keys::DeviceKey;
use radslag_trust::value::value_digest;
use tokio::sync::Notify;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// A configuration on a free port.
pub(crate) fn config() -> Config {
    Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() }
}

/// A server on a store in memory.
pub(crate) async fn in_memory() -> (Running, Client) {
    on(config(), Arc::new(MemoryLog::new()), Arc::new(SystemClock)).await
}

pub(crate) async fn on(config: Config, log: Arc<dyn EventLog>, clock: Arc<dyn Clock>) -> (Running, Client) {
    let running = start_on(config, log, DeviceKey::from_seed([9; 32]), clock).await.unwrap();
    let client = Client::of(&running).await;
    (running, client)
}

/// Connections to every service.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) channel: Channel,
    pub(crate) programs: ProgramServiceClient<Channel>,
    pub(crate) sync: SyncServiceClient<Channel>,
    pub(crate) audit: AuditServiceClient<Channel>,
    pub(crate) admin: AdminServiceClient<Channel>,
}

impl Client {
    pub(crate) async fn of(running: &Running) -> Self {
        Self::on(Endpoint::from_shared(running.url()).unwrap().connect().await.unwrap())
    }

    pub(crate) fn on(channel: Channel) -> Self {
        Self {
            programs: ProgramServiceClient::new(channel.clone()),
            sync: SyncServiceClient::new(channel.clone()),
            audit: AuditServiceClient::new(channel.clone()),
            admin: AdminServiceClient::new(channel.clone()),
            channel,
        }
    }

    pub(crate) async fn log_key(&mut self) -> [u8; 32] {
        let hello = self.sync.hello(api::HelloRequest::default()).await.unwrap().into_inner();
        hello.log_key.try_into().unwrap()
    }

    pub(crate) async fn push(&mut self, bundle: api::Bundle) -> api::PushResponse {
        let request = api::PushRequest { bundle: Some(bundle), request_id: String::new() };
        self.sync.push(request).await.unwrap().into_inner()
    }

    pub(crate) async fn head(&mut self, program: ProgramId) -> u64 {
        let request = api::HelloRequest { program_id: program.to_string(), verified_position: 0 };
        self.sync.hello(request).await.unwrap().into_inner().head.unwrap().position
    }

    pub(crate) async fn get(
        &mut self,
        program: ProgramId,
        as_of: Option<api::AsOf>,
    ) -> api::GetProgramResponse {
        let request = api::GetProgramRequest { program_id: program.to_string(), as_of };
        self.programs.get_program(request).await.unwrap().into_inner()
    }
}

/// The error that a status carries.
pub(crate) fn reason(status: &Status) -> ApiError {
    from_status(status).unwrap_or_else(|| panic!("no reason in {status:?}"))
}

pub(crate) fn at(position: u64) -> Option<api::AsOf> {
    let recorded = Some(api::as_of::Recorded::Position(position));
    Some(api::AsOf { recorded, effective_on: String::new() })
}

/// An event that its device wrote, not yet signed.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) id: EventId,
    pub(crate) body: Vec<u8>,
    pub(crate) values: Vec<Value>,
}

/// A device with its key and its chain of events.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) key: DeviceKey,
    pub(crate) program: ProgramId,
    pub(crate) id: DeviceId,
    pub(crate) member: MemberId,
    pub(crate) org: OrgId,
    seq: DeviceSeq,
    prev: Digest,
    /// What its author looks at.
    pub(crate) base: u64,
}

impl Device {
    pub(crate) fn new(program: ProgramId, org: &str) -> Self {
        Self {
            key: DeviceKey::from_seed(SystemIds.random32()),
            program,
            id: DeviceId::new(SystemIds.random_id()),
            member: MemberId::new(SystemIds.random_id()),
            org: org.parse().unwrap(),
            seq: DeviceSeq::ZERO,
            prev: Digest::ZERO,
            base: 0,
        }
    }

    pub(crate) fn write(&mut self, change: Change, texts: &[(Slot, &str)]) -> Written {
        self.write_dated(change, texts, None)
    }

    pub(crate) fn write_dated(
        &mut self,
        change: Change,
        texts: &[(Slot, &str)],
        effective_on: Option<CivilDate>,
    ) -> Written {
        let now = SystemClock.now();
        let id = EventId::new(SystemIds.event_id(now));
        let value = |(slot, text): &(Slot, &str)| Value {
            slot: *slot,
            salt: SystemIds.random16(),
            bytes: text.as_bytes().to_vec(),
        };
        let mut values: Vec<Value> = texts.iter().map(value).collect();
        values.sort_by_key(|value| value.slot);
        let digest = |value: &Value| ValueDigest {
            slot: value.slot,
            digest: value_digest(self.program, id, value.slot, &value.salt, &value.bytes),
        };
        let body = EventBody {
            event_id: id,
            program_id: self.program,
            actor_id: self.member,
            org_id: self.org.clone(),
            device_id: self.id,
            device_seq: self.seq.next(),
            prev: self.prev,
            base: Base { epoch: EpochId::default(), position: Position::new(self.base), seq: self.seq },
            authored_at: Instant::from_micros(now.micros() - 1_000),
            effective_on,
            group: None,
            expect: Vec::new(),
            kind: change.kind().unwrap().to_owned(),
            schema_version: 1,
            must_understand: true,
            digests: values.iter().map(digest).collect(),
            change,
        };
        let body = encode_body(&body).unwrap();
        self.seq = self.seq.next();
        self.prev = Digest::of(&body);
        Written { id, body, values }
    }

    pub(crate) fn sign(&self, events: &[Written]) -> api::Bundle {
        let hashes: Vec<Digest> = events.iter().map(|event| Digest::of(&event.body)).collect();
        let signature = sign_bundle(&self.key, self.program, self.id, &hashes);
        let events = events.iter().map(|event| encode_event(event.body.clone(), &event.values)).collect();
        encode_bundle(self.program, self.id, signature.bytes(), events)
    }

    /// Admits its own organisation and member.
    pub(crate) fn admit(&mut self, name: &str) -> [Written; 2] {
        let (member_id, org_id) = (self.member, self.org.clone());
        [
            self.write(Change::OrganisationAdmitted { org_id: org_id.clone(), party: None }, &[]),
            self.write(Change::MemberAdmitted { member_id, org_id }, &[(Slot::MEMBER_NAME, name)]),
        ]
    }

    /// Enrols itself and admits its organisation and member.
    pub(crate) fn join(&mut self, name: &str) -> Vec<Written> {
        let change = Change::DeviceEnrolled {
            device_id: self.id,
            public_key: *self.key.public().bytes(),
            member_id: self.member,
            org_id: self.org.clone(),
            authority: Authority::Open,
        };
        let mut events = vec![self.write(change, &[])];
        events.extend(self.admit(name));
        events
    }

    pub(crate) fn retitle(&mut self, entity: EntityId, title: &str) -> Written {
        self.revise(entity, FieldKey::Title, title)
    }

    pub(crate) fn revise(&mut self, entity: EntityId, field: FieldKey, text: &str) -> Written {
        let change = Change::FieldRevised { entity, field, value: NewValue::Sealed };
        self.write(change, &[(field.slot().unwrap(), text)])
    }
}

/// A programme on a server: one area, one sub-goal, one activity; positions 1 to 6.
pub(crate) struct Town {
    pub(crate) program: ProgramId,
    pub(crate) area: EntityId,
    pub(crate) activity: EntityId,
    pub(crate) device: Device,
    pub(crate) creation: api::Bundle,
}

pub(crate) fn entity() -> EntityId {
    EntityId::new(SystemIds.random_id())
}

impl Town {
    /// Writes a programme's begin, and keeps it to itself.
    pub(crate) fn plan(log_key: [u8; 32]) -> Self {
        let program = ProgramId::new(SystemIds.random_id());
        let mut device = Device::new(program, "haninge");
        let (area, subgoal, activity) = (entity(), entity(), entity());
        let device_key = *device.key.public().bytes();
        let order_key = || "m".to_owned();
        let created = Change::ProgramCreated { log_key, device_key, rules: 1 };
        let mut events = vec![device.write(created, &[(Slot::TITLE, "Södertörn 2019")])];
        events.extend(device.admit("Anna Be"));
        let change = Change::AreaAdded { area, order_key: order_key(), source: None };
        events.push(device.write(change, &[(Slot::TITLE, "Näringsliv"), (Slot::GOAL, "Fler företag")]));
        let change = Change::SubgoalAdded { subgoal, area, order_key: order_key(), source: None };
        events.push(device.write(change, &[(Slot::TITLE, "Mötesplatser")]));
        let change = Change::ActivityAdded {
            activity,
            subgoal,
            order_key: order_key(),
            responsible: Vec::new(),
            lead: None,
            source: None,
        };
        let values = [
            (Slot::TITLE, "Frukostmöte"),
            (Slot::COST, "5000000 SEK\n50 000 kr"),
            (Slot::REASON, "budget 2019"),
            (Slot::DECISION, "KS-2019/123"),
        ];
        events.push(device.write(change, &values));
        let creation = device.sign(&events);
        device.base = 6;
        Self { program, area, activity, device, creation }
    }

    /// Begins a programme on a server.
    pub(crate) async fn begin(client: &mut Client) -> Self {
        let town = Self::plan(client.log_key().await);
        let answer = client.admin.create_program(town.creation_request()).await.unwrap().into_inner();
        assert!(answer.answers.iter().all(|answer| accepted(answer).is_some()), "{answer:?}");
        assert_eq!(answer.head.unwrap().position, 6);
        town
    }

    pub(crate) fn creation_request(&self) -> api::CreateProgramRequest {
        api::CreateProgramRequest { bundle: Some(self.creation.clone()), request_id: String::new() }
    }

    /// A second municipality, on the server from here on.
    pub(crate) async fn neighbour(&self, client: &mut Client) -> Device {
        let mut device = Device::new(self.program, "nynashamn");
        device.base = client.head(self.program).await;
        let joined = device.join("Håkan");
        let answer = client.push(device.sign(&joined)).await;
        assert!(answer.answers.iter().all(|answer| accepted(answer).is_some()), "{answer:?}");
        device.base = answer.head.unwrap().position;
        device
    }
}

pub(crate) fn accepted(answer: &api::Answer) -> Option<&api::Accepted> {
    match answer.answer.as_ref()? {
        api::answer::Answer::Accepted(receipt) => Some(receipt),
        _ => None,
    }
}

pub(crate) fn refused(answer: &api::Answer) -> Option<&str> {
    match answer.answer.as_ref()? {
        api::answer::Answer::Refused(refused) => Some(&refused.reason),
        _ => None,
    }
}

/// A store in memory whose commits wait at a gate, or fail.
pub(crate) struct GatedLog {
    log: MemoryLog,
    broken: AtomicBool,
    closed: Mutex<bool>,
    opened: Condvar,
    /// Tells that a commit has come to the closed gate.
    pub(crate) waiting: Notify,
}

impl GatedLog {
    pub(crate) fn new() -> Self {
        let (closed, opened) = (Mutex::new(false), Condvar::new());
        let broken = AtomicBool::new(false);
        Self { log: MemoryLog::new(), broken, closed, opened, waiting: Notify::new() }
    }

    pub(crate) fn close(&self) {
        *self.closed.lock().unwrap() = true;
    }

    /// From now on every commit fails as on a disk that does.
    pub(crate) fn break_down(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    pub(crate) fn open(&self) {
        *self.closed.lock().unwrap() = false;
        self.opened.notify_all();
    }
}

impl Around for GatedLog {
    fn inner(&self) -> &dyn EventLog {
        &self.log
    }

    fn commit_around(&self, commit: Commit) -> Result<(), LogError> {
        let mut closed = self.closed.lock().unwrap();
        while *closed {
            self.waiting.notify_one();
            closed = self.opened.wait(closed).unwrap();
        }
        if self.broken.load(Ordering::Relaxed) {
            return Err(io::Error::other("the disk is broken").into());
        }
        self.log.commit(commit)
    }
}
