//! A municipality that never closes its replica: edits on and on, syncs at its own pace whenever there is a server, and
//! says on stdout, one JSON object a line, what it wrote and what became of it. For the fleet; not shipped.
//!
//! On stdin it takes `standing`, once it has said `done`: then it pulls and says where it stands. It ends with stdin.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it says is what it is for")]

use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use radslag_client::ClientError;
use radslag_client::remote::Remote;
use radslag_tests::member::{Learned, Member};
use serde_json::json;

const USAGE: &str = "usage: radslag-member DIR EDITS SEED";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, edits, seed] = arguments.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let (Ok(edits), Ok(seed)) = (edits.parse(), seed.parse()) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match work(PathBuf::from(dir), edits, seed).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {dir}: {error}");
            let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(&error);
            while let Some(deeper) = cause {
                eprintln!("caused by: {deeper}");
                cause = deeper.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn work(dir: PathBuf, edits: usize, seed: u64) -> Result<(), ClientError> {
    let mut member = Member::open(&dir, seed)?;
    let mut line = Line { server: member.replica.settings.server.clone(), remote: None, failed: 0 };
    let mut authored = 0;
    while authored < edits || member.waiting() > 0 {
        // Works away from the network for a while; nobody writes for ever without handing in.
        let most = edits.min(authored + 1 + member.dice().below(30));
        while authored < most {
            let events = member.edit(most - authored)?;
            authored += events.len();
            let ids: Vec<String> = events.iter().map(ToString::to_string).collect();
            println!("{}", json!({ "authored": ids }));
            let pause = u64::try_from(member.dice().below(8)).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        line.sync(&mut member).await?;
        tell(&mut member)?;
    }
    println!("{}", json!({ "done": true, "failed_calls": line.failed }));
    for asked in std::io::stdin().lock().lines() {
        if asked.is_ok_and(|asked| asked == "standing") {
            while !line.sync(&mut member).await? {}
            let stands = member.standing();
            println!(
                "{}",
                json!({
                    "position": stands.position, "state_hash": stands.state_hash, "conflicts": stands.conflicts,
                })
            );
        }
    }
    member.replica.close()
}

fn tell(member: &mut Member) -> Result<(), ClientError> {
    for (event, learned) in member.learned()? {
        let (outcome, reason) = match learned {
            Learned::Accepted => ("accepted", None),
            Learned::Rejected(reason) => ("rejected", Some(reason)),
            Learned::Refused(reason) => ("refused", Some(reason)),
        };
        println!("{}", json!({ "event": event.to_string(), "outcome": outcome, "reason": reason }));
    }
    Ok(())
}

/// The way to a server that comes and goes.
struct Line {
    server: String,
    remote: Option<Remote>,
    failed: usize,
}

impl Line {
    /// Syncs if there is a server; says whether it went through. A server that is away is no error.
    async fn sync(&mut self, member: &mut Member) -> Result<bool, ClientError> {
        let remote = match self.remote.take() {
            Some(remote) => Ok(remote),
            None => Remote::connect(&self.server).await,
        };
        let synced = match remote {
            Ok(remote) => member.sync(&remote).await.map(|()| self.remote = Some(remote)),
            Err(error) => Err(error),
        };
        match synced {
            Ok(()) => Ok(true),
            Err(ClientError::NoAnswer { .. }) => {
                self.failed += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
