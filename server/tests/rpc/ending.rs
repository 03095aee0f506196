//! SIGTERM under load: what was taken is answered, what was not is not recorded, and the process ends in order and soon.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use radslag_core::id::{EntityId, EventId, Position, ProgramId};
use radslag_log::{EventLog as _, ReadLimit};
use radslag_log_sled::{OpenOptions, SledLog};
use radslag_proto::api::v1 as api;
use tokio::sync::mpsc;
use tonic::transport::Endpoint;

use super::harness::{Client, Device, Town, accepted};

const PUSHERS: usize = 8;

fn serve(data: &Path) -> (Child, BufReader<ChildStdout>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radslagd"));
    command.args(["serve", "--log", "warn", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let url = url.trim_end_matches(',').to_owned();
    (server, stdout, url)
}

async fn connect(url: &str) -> Client {
    Client::on(Endpoint::from_shared(url.to_owned()).unwrap().connect().await.unwrap())
}

/// Pushes one change after the other until a call is not answered with a receipt; gives what was. `told` hears of each.
async fn push_on(
    mut client: Client,
    mut device: Device,
    activity: EntityId,
    told: mpsc::Sender<()>,
) -> BTreeSet<EventId> {
    let mut answered = BTreeSet::new();
    loop {
        let event = device.retitle(activity, &format!("Frukostmöte {}", answered.len()));
        let bundle = Some(device.sign(std::slice::from_ref(&event)));
        let pushed = client.sync.push(api::PushRequest { bundle, request_id: String::new() }).await;
        let Ok(pushed) = pushed else { return answered };
        assert!(accepted(&pushed.into_inner().answers[0]).is_some());
        answered.insert(event.id);
        // Whoever listened has heard enough.
        let _ = told.try_send(());
    }
}

/// The events of a log after a position.
fn recorded(data: &Path, program: ProgramId, after: u64) -> BTreeSet<EventId> {
    let log = SledLog::open(data, OpenOptions::default()).unwrap();
    let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    let records = log.read(program, Position::new(after + 1), all).unwrap();
    log.close().unwrap();
    records.iter().map(|record| EventId::from_slice(&record.event_id).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_end_answers_every_call_that_it_took() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for pushes in [50, 200] {
        let (mut server, _stdout, url) = serve(&data);
        let mut client = connect(&url).await;
        let town = Town::begin(&mut client).await;
        let mut devices = Vec::new();
        for _ in 0..PUSHERS {
            devices.push(town.neighbour(&mut client).await);
        }
        let before = client.head(town.program).await;
        // Somebody who would listen for ever holds up nothing.
        let request = api::SubscribeRequest { program_id: town.program.to_string(), ..Default::default() };
        let mut follower = client.sync.subscribe(request).await.unwrap().into_inner();
        let following = tokio::spawn(async move { while let Ok(Some(_)) = follower.message().await {} });
        let (told, mut heard) = mpsc::channel(PUSHERS);
        let mut pushing = Vec::new();
        for device in devices {
            let client = connect(&url).await;
            pushing.push(tokio::spawn(push_on(client, device, town.activity, told.clone())));
        }
        for _ in 0..pushes {
            heard.recv().await.unwrap();
        }

        let asked = Instant::now();
        let told = Command::new("sh").args(["-c", &format!("kill -TERM {}", server.id())]).status().unwrap();
        assert!(told.success());
        let ended = tokio::task::spawn_blocking(move || server.wait().unwrap()).await.unwrap();
        let took = asked.elapsed();
        assert_eq!(ended.code(), Some(0));
        assert!(took < Duration::from_secs(10), "it took {took:?} to end");
        let mut answered = BTreeSet::new();
        for pushing in pushing {
            answered.extend(pushing.await.unwrap());
        }
        following.await.unwrap();
        assert!(answered.len() >= pushes);
        // Recorded and not answered would be a change whose author was left in doubt; the other way round, one that is lost.
        assert_eq!(recorded(&data, town.program, before), answered);
    }
}
