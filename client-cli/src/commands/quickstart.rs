//! `quickstart`: the main job, live. A real server on a real socket, two replicas with their own stores, and every step
//! the command that a person would type.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser as _;
use radslag_client::ClientError;
use radslag_client::clock::{SystemClock, SystemIds};
use radslag_client::replica::Replica;
use radslag_client::settings::{FOLDER, Settings};
use radslag_core::id::ProgramId;
use radslag_core::view;
use radslag_server::{Config, Running, StartError};

use crate::args::{Cli, Quickstart};
use crate::error::CliError;
use crate::ui::{Format, Ui};

const SAMPLE: &[u8] = include_bytes!("../../../samples/sodertorn-2019.tsv");
const ACTIVITY: &str = "Nyckeltalsdagen";
/// Where the server listens unless something else does.
const PORT: u16 = 7420;

/// The tour, and after it the server until Ctrl-C.
pub async fn run(ui: Ui, args: &Quickstart) -> Result<(), CliError> {
    let ui = Ui { format: Format::Table, ..ui };
    let data = args.data.clone();
    let sample = data.join("sodertorn-2019.tsv");
    let mut tour =
        Tour { ui, data, step: 0, server: None, address: SocketAddr::from(([127, 0, 0, 1], PORT)) };
    let walked = tour.walk(&sample).await;
    let outcome = match walked {
        Ok(()) if !args.no_serve => tour.serve_on().await,
        other => other,
    };
    tour.stop().await;
    outcome
}

struct Tour {
    ui: Ui,
    data: PathBuf,
    step: usize,
    server: Option<Running>,
    address: SocketAddr,
}

impl Tour {
    async fn walk(&mut self, sample: &Path) -> Result<(), CliError> {
        self.title("En server på den här datorn", "A server on this machine")?;
        self.narrate(&format!("radslagd serve --data {} --listen {}", self.data.display(), self.address))?;
        self.start().await?;
        fs::write(sample, SAMPLE).map_err(|source| CliError::File { path: sample.to_owned(), source })?;
        let program = self.programme(sample).await?;
        self.replicas(program).await?;
        let start = self.position("haninge")?;
        self.title("Programmet, som det står", "The programme, as it stands")?;
        self.summary("haninge")?;

        self.title(
            "Servern är nere. Båda kommunerna ändrar samma aktivitet",
            "The server is down. Both municipalities change the same activity",
        )?;
        self.stop().await;
        let (one, two) = amounts(start);
        self.command("haninge", &["edit", ACTIVITY, "--cost", &one, "--reason", "offert"]).await?;
        self.command("huddinge", &["edit", ACTIVITY, "--cost", &two, "--reason", "budget"]).await?;

        self.title("Servern är uppe igen. Alla synkroniserar", "The server is up again. Everybody syncs")?;
        self.start().await?;
        for org in ["haninge", "huddinge", "haninge"] {
            self.command(org, &["sync"]).await?;
        }
        let (id, side) = self.conflict("haninge")?;
        let (other, _) = self.conflict("huddinge")?;
        self.expect(id == other, "the same conflict in both replicas")?;

        self.title("Ingenting gick förlorat: konflikten syns", "Nothing was lost: the conflict shows")?;
        self.command("huddinge", &["conflicts"]).await?;

        self.title("Någon avgör den", "Somebody settles it")?;
        let settled = ["resolve", &id, "--take", &side, "--reason", "offerten gäller"];
        self.command("haninge", &settled).await?;
        self.command("haninge", &["sync"]).await?;
        self.command("huddinge", &["sync"]).await?;
        for org in ["haninge", "huddinge"] {
            let left = self.open(org)?.1;
            self.expect(left == 0, "no conflict after the resolution")?;
        }

        self.title("Vem ändrade vad, och varför", "Who changed what, and why")?;
        self.command("huddinge", &["history", ACTIVITY]).await?;
        self.command("huddinge", &["diff", &format!("@{start}")]).await?;

        self.title("Programmet som det var, och som det är", "The programme as it was, and as it is")?;
        let (before, now) = (self.path("before.tsv"), self.path("now.tsv"));
        let point = format!("@{start}");
        self.command("huddinge", &["export", "--as-of", &point, "--to", &text(&before)]).await?;
        self.command("huddinge", &["export", "--to", &text(&now)]).await?;
        let (same, differing) = compare(&before, &now)?;
        self.ui.line(&format!(
            "   {}: {differing}",
            self.ui.text("rader som skiljer dem åt", "lines that differ between the two")
        ))?;
        self.expect(differing == 1, "exactly one differing line")?;
        if same {
            self.ui.tell(
                "   before.tsv är tabellen som importerades, byte för byte",
                "   before.tsv is the imported table, byte for byte",
            )?;
        }

        self.title("Var och en kan kontrollera loggen själv", "Each can check the log alone")?;
        self.command("haninge", &["verify"]).await?;
        self.command("huddinge", &["verify", "--online"]).await?;
        let states = (self.hash("haninge")?, self.hash("huddinge")?);
        self.expect(states.0 == states.1, "the same state in both replicas")
    }

    /// The programme of an earlier run, or a new one from the sample.
    async fn programme(&mut self, sample: &Path) -> Result<ProgramId, CliError> {
        let known =
            self.server.as_ref().and_then(|server| server.engine().programmes().first().map(|p| p.id()));
        if let Some(program) = known {
            self.title("Programmet finns sedan förra gången", "The programme is there from last time")?;
            self.ui.line(&format!("   {program}"))?;
            return Ok(program);
        }
        self.title(
            "Kansliet lägger upp programmet ur tabellen",
            "The office begins the programme from the table",
        )?;
        // A folder of an attempt that was cut short holds nothing that the server has.
        let _ = fs::remove_dir_all(self.path("kansli"));
        let server = self.url();
        let args = [
            "program",
            "create",
            "--server",
            &server,
            "--import",
            &text(sample),
            &text(&self.path("kansli")),
        ];
        self.run(None, &args).await?;
        let made =
            self.server.as_ref().and_then(|server| server.engine().programmes().first().map(|p| p.id()));
        made.ok_or_else(|| broken("a programme on the server"))
    }

    async fn replicas(&mut self, program: ProgramId) -> Result<(), CliError> {
        self.title("Två kommuner gör var sin replika", "Two municipalities make a replica each")?;
        for (org, member) in [("haninge", "Håkan"), ("huddinge", "Anna")] {
            let dir = self.path(org);
            if self.usable(org, program)? {
                self.command(org, &["sync"]).await?;
                continue;
            }
            let server = self.url();
            let id = program.to_string();
            let args = [
                "init",
                "--server",
                &server,
                "--program",
                &id,
                "--org",
                org,
                "--member",
                member,
                &text(&dir),
            ];
            self.run(None, &args).await?;
        }
        Ok(())
    }

    /// Whether an earlier run left a replica that is enrolled, or about to be. One that is neither is cleared away.
    fn usable(&self, org: &str, program: ProgramId) -> Result<bool, CliError> {
        let folder = self.path(org).join(FOLDER);
        if !folder.join("replica.toml").is_file() {
            clear(&folder)?;
            return Ok(false);
        }
        let mut settings = Settings::load(&folder)?;
        let other = settings.program != program;
        settings.server = self.url();
        settings.save(&folder)?;
        let replica = self.replica(org)?;
        let enrolled = replica.ledger.state.devices().contains_key(&settings.device);
        let enrolling = !replica.outbox.is_empty();
        replica.close()?;
        if other || !(enrolled || enrolling) {
            clear(&folder)?;
            return Ok(false);
        }
        Ok(true)
    }

    async fn start(&mut self) -> Result<(), CliError> {
        let config = |listen| Config { data: self.data.clone(), listen, ..Config::default() };
        let started = match radslag_server::start(config(self.address)).await {
            Err(StartError::AddressTaken { .. }) => {
                radslag_server::start(config(SocketAddr::from(([127, 0, 0, 1], 0)))).await
            }
            other => other,
        };
        let running = started.map_err(|error| CliError::Refused {
            what: chain(&error),
            hint: error.hint().map(str::to_owned),
        })?;
        let moved = running.addr() != self.address;
        self.address = running.addr();
        self.server = Some(running);
        self.ui.line(&format!("   {}", self.url()))?;
        if moved {
            self.repoint()?;
        }
        Ok(())
    }

    /// Replicas keep the server's address; a server on another port is told to them.
    fn repoint(&self) -> Result<(), CliError> {
        for org in ["kansli", "haninge", "huddinge"] {
            let folder = self.path(org).join(FOLDER);
            if folder.join("replica.toml").is_file() {
                let mut settings = Settings::load(&folder)?;
                settings.server = self.url();
                settings.save(&folder)?;
            }
        }
        Ok(())
    }

    async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown().await;
        }
    }

    async fn serve_on(&mut self) -> Result<(), CliError> {
        let ui = self.ui;
        ui.line("")?;
        ui.line(&format!("{} {}", ui.text("Servern går vidare på", "The server goes on at"), self.url()))?;
        ui.tell("Prova i en annan terminal:", "Try in another terminal:")?;
        let haninge = self.path("haninge");
        for line in [
            "show",
            "edit \"Södertörnskonferensen\" --time 26-sep --reason \"ny lokal\"",
            "sync",
            "log --last 5",
        ] {
            ui.line(&format!("  radslag --replica {} {line}", haninge.display()))?;
        }
        ui.tell("Ctrl-C avslutar.", "Ctrl-C ends it.")?;
        tokio::signal::ctrl_c().await.map_err(CliError::Output)
    }

    fn title(&mut self, sv: &str, en: &str) -> Result<(), CliError> {
        self.step += 1;
        self.ui.line("")?;
        self.ui.line(&format!("{}. {}", self.step, self.ui.text(sv, en)))
    }

    fn narrate(&self, command: &str) -> Result<(), CliError> {
        self.ui.line(&format!("   $ {command}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Runs a command in a replica, just as it is printed.
    async fn command(&self, org: &str, args: &[&str]) -> Result<(), CliError> {
        self.run(Some(org), args).await
    }

    async fn run(&self, org: Option<&str>, args: &[&str]) -> Result<(), CliError> {
        let dir = org.map(|org| text(&self.path(org)));
        let mut line = vec!["radslag".to_owned()];
        if let Some(dir) = &dir {
            line.extend(["--replica".to_owned(), dir.clone()]);
        }
        line.extend(args.iter().map(|arg| (*arg).to_owned()));
        let shown: Vec<String> = line.iter().map(|word| quoted(word)).collect();
        self.narrate(&shown.join(" "))?;
        let cli = Cli::try_parse_from(&line).map_err(|error| CliError::usage(error.to_string()))?;
        Box::pin(super::run(cli, self.ui)).await
    }

    /// The first and the last line of `show`: the whole programme would push the tour off the screen.
    fn summary(&self, org: &str) -> Result<(), CliError> {
        self.narrate(&format!("radslag --replica {} show", text(&self.path(org))))?;
        let replica = self.replica(org)?;
        let view = replica.view();
        let program = view::program(&view.state, &view, view.day());
        self.ui.line(&program.title)?;
        self.ui.line("…")?;
        self.ui.line(&super::show::summary(self.ui, &program))?;
        drop(view);
        Ok(replica.close()?)
    }

    fn replica(&self, org: &str) -> Result<Replica, ClientError> {
        Replica::open(&self.path(org), Arc::new(SystemClock), Arc::new(SystemIds))
    }

    /// A replica's confirmed position and how many conflicts it shows.
    fn open(&self, org: &str) -> Result<(u64, usize), CliError> {
        let replica = self.replica(org)?;
        let found = (replica.ledger.state.head().get(), view::conflicts(&replica.ledger.state).len());
        replica.close()?;
        Ok(found)
    }

    fn position(&self, org: &str) -> Result<u64, CliError> {
        Ok(self.open(org)?.0)
    }

    fn hash(&self, org: &str) -> Result<String, CliError> {
        let replica = self.replica(org)?;
        let hash = replica.ledger.state.hash().to_string();
        replica.close()?;
        Ok(hash)
    }

    /// The open conflict about the activity, and the latest side that haninge wrote.
    fn conflict(&self, org: &str) -> Result<(String, String), CliError> {
        let replica = self.replica(org)?;
        let state = &replica.ledger.state;
        let wrote =
            |device| state.devices().get(device).is_some_and(|device| device.org.as_str() == "haninge");
        let open = view::conflicts(state);
        let found = open.iter().find_map(|conflict| {
            let own: Vec<_> = conflict.sides.iter().filter(|side| wrote(&side.device)).collect();
            // An organisation names its side only where it wrote one.
            let side = if own.len() == 1 { "haninge".to_owned() } else { own.last()?.event.short() };
            Some((conflict.id.short(), side))
        });
        drop(open);
        let found = found.ok_or_else(|| broken("a conflict with both sides"));
        replica.close()?;
        found
    }

    fn expect(&self, holds: bool, what: &str) -> Result<(), CliError> {
        if holds { Ok(()) } else { Err(broken(what)) }
    }
}

fn broken(what: &str) -> CliError {
    CliError::Refused { what: format!("the tour expected {what}, and it is not so"), hint: None }
}

/// Two amounts that no earlier run wrote: they grow with the log.
fn amounts(position: u64) -> (String, String) {
    let step = position.saturating_mul(100);
    ((50_000 + step).to_string(), (75_000 + step).to_string())
}

fn clear(folder: &Path) -> Result<(), CliError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(CliError::File { path: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_./:@".contains(letter);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("{word:?}") }
}

/// Whether the first file is the sample, and how many lines differ between the two.
fn compare(before: &Path, now: &Path) -> Result<(bool, usize), CliError> {
    let read =
        |path: &Path| fs::read(path).map_err(|source| CliError::File { path: path.to_owned(), source });
    let (before, now) = (read(before)?, read(now)?);
    let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (old, new) = (lines(&before), lines(&now));
    let differing = old.iter().zip(&new).filter(|(old, new)| old != new).count();
    Ok((before == SAMPLE, differing + old.len().abs_diff(new.len())))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let words = source.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = source.source();
    }
    text
}
