//! A server on loopback and the replicas of those who work with it, in one process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use radslag_client::author::Act;
use radslag_client::clock::{IdSource as _, SystemClock, SystemIds};
use radslag_client::remote::Remote;
use radslag_client::replica::Replica;
use radslag_client::settings::Settings;
use radslag_client::{ClientError, DeviceKey};
use radslag_core::command::Draft;
use radslag_core::event::{Authority, Change, NewValue};
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceId, EntityId, EventId, MemberId, ProgramId};
use radslag_core::value::Slot;
use radslag_server::{Config, Running};
use tempfile::TempDir;

/// A server on loopback with its data in a folder of its own.
pub(crate) async fn serve(data: &Path, listen: &str) -> (Running, Remote) {
    let config = Config { listen: listen.parse().unwrap(), data: data.to_owned(), ..Config::default() };
    let running = radslag_server::start(config).await.unwrap();
    let url = format!("http://127.0.0.1:{}", running.addr().port());
    let remote = Remote::connect(&url).await.unwrap();
    (running, remote)
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn replica(dir: &Path, program: ProgramId, org: &str) -> Replica {
    let settings = Settings {
        server: "http://127.0.0.1:1".to_owned(),
        ca: None,
        program,
        org: org.parse().unwrap(),
        member: MemberId::new(SystemIds.random_id()),
        name: org.to_owned(),
        device: DeviceId::new(SystemIds.random_id()),
    };
    let key = DeviceKey::from_seed(SystemIds.random32());
    Replica::make(dir, &settings, &key, Arc::new(SystemClock), Arc::new(SystemIds)).unwrap()
}

pub(crate) fn admission(replica: &Replica) -> Vec<Draft> {
    let (org, member) = (replica.settings.org.clone(), replica.settings.member);
    vec![
        Draft::new(Change::OrganisationAdmitted { org_id: org.clone(), party: None }),
        Draft::new(Change::MemberAdmitted { member_id: member, org_id: org })
            .with_text(Slot::MEMBER_NAME, "Håkan"),
    ]
}

pub(crate) fn enrolment(replica: &Replica) -> Draft {
    Draft::new(Change::DeviceEnrolled {
        device_id: replica.settings.device,
        public_key: *replica.key.public().bytes(),
        member_id: replica.settings.member,
        org_id: replica.settings.org.clone(),
        authority: Authority::Open,
    })
}

pub(crate) fn queue(replica: &mut Replica, drafts: Vec<Draft>) -> Result<Vec<EventId>, ClientError> {
    let (base, grouped) = (replica.base(), drafts.len() > 1);
    replica.queue(base, drafts, &Act::default(), grouped)
}

pub(crate) fn retitle(replica: &Replica, title: &str) -> Draft {
    let entity = EntityId::from(replica.settings.program);
    let revised = Change::FieldRevised { entity, field: FieldKey::Title, value: NewValue::Sealed };
    Draft::new(revised).with_text(Slot::TITLE, title)
}

pub(crate) fn area(title: &str) -> (EntityId, Draft) {
    let area = EntityId::new(SystemIds.random_id());
    let added = Change::AreaAdded { area, order_key: "a".to_owned(), source: None };
    (area, Draft::new(added).with_text(Slot::TITLE, title))
}

/// A folder for everything, and in it a server's data with a programme that Haninge began.
pub(crate) async fn begun() -> (TempDir, PathBuf, Replica) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("server");
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let hello = remote.hello("").await.unwrap();
    let mut haninge = replica(&dir.path().join("haninge"), ProgramId::new(SystemIds.random_id()), "haninge");
    let created = Change::ProgramCreated {
        log_key: hello.log_key.try_into().unwrap(),
        device_key: *haninge.key.public().bytes(),
        rules: radslag_core::judge::RULES,
    };
    queue(&mut haninge, vec![Draft::new(created).with_text(Slot::TITLE, "Program")]).unwrap();
    let drafts = admission(&haninge);
    queue(&mut haninge, drafts).unwrap();
    haninge.create(&remote, |_, _| {}).await.unwrap();
    haninge.pull(&remote, |_, _| {}).await.unwrap();
    assert_eq!(haninge.outbox.len(), 0);
    running.shutdown().await;
    (dir, data, haninge)
}

/// Another municipality, enrolled.
pub(crate) async fn joined(dir: &TempDir, remote: &Remote, program: ProgramId) -> Replica {
    let mut huddinge = replica(&dir.path().join("huddinge"), program, "huddinge");
    huddinge.pull(remote, |_, _| {}).await.unwrap();
    let mut drafts = vec![enrolment(&huddinge)];
    drafts.extend(admission(&huddinge));
    queue(&mut huddinge, drafts).unwrap();
    sync(&mut huddinge, remote).await;
    huddinge
}

pub(crate) async fn sync(replica: &mut Replica, remote: &Remote) {
    replica.push(remote, |_, _| {}).await.unwrap();
    replica.pull(remote, |_, _| {}).await.unwrap();
    assert_eq!(replica.outbox.len(), 0);
}
