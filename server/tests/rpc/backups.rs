//! Backups of a server in this process: logs of an unusual shape, readers who stop, servers that break off.

use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use prost::Message as _;
use radslag_log::EventLog as _;
use radslag_log_sled::{OpenOptions, SledLog};
use radslag_proto::log::v1;
use radslag_proto::log::v1::backup_frame::Frame;
use radslag_server::{BackedUp, Config, RecoveryError, Running, backup, check, start};

use super::harness::{Client, Town, accepted, config};

async fn serve(data: &Path) -> (Running, Client) {
    let running = start(Config { data: data.to_owned(), ..config() }).await.unwrap();
    let client = Client::of(&running).await;
    (running, client)
}

async fn back_up(data: &Path, dir: &Path) -> Result<Vec<BackedUp>, RecoveryError> {
    let (data, dir) = (data.to_owned(), dir.to_owned());
    tokio::task::spawn_blocking(move || backup(&data, &dir, |_| ())).await.unwrap()
}

/// A log of small records whose signatures are over hundreds of members each, most of them landed before.
async fn heavy_signatures(client: &mut Client) -> Town {
    let mut town = Town::begin(client).await;
    let mut events = Vec::new();
    for number in 0..440 {
        events.push(town.device.retitle(town.activity, &number.to_string()));
        if number >= 400 {
            let answer = client.push(town.device.sign(&events)).await;
            assert!(answer.answers.last().and_then(accepted).is_some());
        }
    }
    town
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_that_outweigh_the_log_fit_into_frames_and_commits() {
    let dir = tempfile::tempdir().unwrap();
    let (data, to) = (dir.path().join("data"), dir.path().join("backup"));
    let (running, mut client) = serve(&data).await;
    let town = heavy_signatures(&mut client).await;
    let head = client.head(town.program).await;
    let done = back_up(&data, &to).await.unwrap();
    assert_eq!((done[0].program, done[0].position.get()), (town.program, head));
    running.shutdown().await;
    let checked = check(&to).unwrap();
    assert_eq!(*checked.programmes[0].outcome.as_ref().unwrap(), (done[0].position, done[0].root));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_stops_in_the_middle_of_a_backup_does_not_keep_the_server_from_ending() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (running, mut client) = serve(&data).await;
    let town = heavy_signatures(&mut client).await;
    let mut stopped = UnixStream::connect(data.join("control")).unwrap();
    stopped.write_all(b"backup\n").unwrap();
    // Pushes go on; and when another is told so, the first one is being read out to.
    assert!(matches!(
        back_up(&data, &dir.path().join("other")).await,
        Err(RecoveryError::Declined { what }) if what == "another backup is under way"
    ));
    let before = client.head(town.program).await;
    town.neighbour(&mut client).await;
    assert!(client.head(town.program).await > before);
    drop(client);
    let asked = Instant::now();
    running.shutdown().await;
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?} to end", asked.elapsed());
    SledLog::open(&data, OpenOptions::default()).unwrap().close().unwrap();
}

/// Answers one backup with these frames, and is gone.
fn answer_with(data: &Path, frames: Vec<Frame>) -> thread::JoinHandle<()> {
    let listener = UnixListener::bind(data.join("control")).unwrap();
    let socket = data.join("control");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for frame in frames {
            let frame = v1::BackupFrame { frame: Some(frame) }.encode_to_vec();
            stream.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
            stream.write_all(&frame).unwrap();
        }
        std::fs::remove_file(socket).unwrap();
    })
}

#[tokio::test]
async fn what_a_server_did_not_say_to_the_end_or_did_not_say_right_is_no_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (data, to) = (dir.path().join("data"), dir.path().join("backup"));
    let (running, mut client) = serve(&data).await;
    let town = Town::begin(&mut client).await;
    drop(client);
    running.shutdown().await;
    let head = {
        let log = SledLog::open(&data, OpenOptions::default()).unwrap();
        let head = log.head(town.program).unwrap();
        log.close().unwrap();
        head
    };
    let begin = Frame::Begin(v1::BackupBegin { program_id: town.program.bytes().to_vec(), head });
    let whole = Frame::Whole(v1::BackupWhole {});
    let answers = [
        (vec![], 1, "the server broke off in the middle of the backup"),
        (vec![begin.clone()], 1, "the server broke off in the middle of the backup"),
        (vec![begin.clone(), whole.clone()], 5, "up to position 0 does not have the log's root"),
        (vec![begin.clone(), begin], 5, "up to position 0 does not have the log's root"),
        (vec![Frame::Records(v1::TailRecords::default())], 1, "what this release does not know"),
        (vec![Frame::Failed("no more".to_owned())], 1, "the server ended the backup: no more"),
    ];
    for (frames, code, words) in answers {
        let answering = answer_with(&data, frames);
        let error = back_up(&data, &to).await.unwrap_err();
        answering.join().unwrap();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.exit_code(), code);
        let refused = check(&to).unwrap_err().to_string();
        assert!(refused.ends_with("was not finished"), "{refused}");
    }
    let done = back_up(&data, &to).await.unwrap();
    assert_eq!(done[0].position.get(), 6);
    assert_eq!(check(&to).unwrap().programmes[0].outcome.as_ref().unwrap().1, done[0].root);
}
