//! A town: a server and the municipalities that work with it, in one temporary folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::authority::Authority;
use crate::binaries::{radslag, radslagd};
use crate::cli::{CliRun, Outcome};
use crate::server::{Server, stderr_of};

/// The programme that every town begins with.
pub fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/sodertorn-2019.tsv")
}

/// A server with its data, and the folder for everything else.
pub struct Town {
    server: Option<Server>,
    url: String,
    program: String,
    data: PathBuf,
    /// Who issued the server's certificate, where it speaks TLS.
    authority: Option<Authority>,
    // Last, so that the server is gone before its data is.
    dir: TempDir,
}

impl Town {
    /// A server with nothing on it.
    ///
    /// # Panics
    /// It does not come up.
    #[track_caller]
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().expect("the system has a folder for temporary files");
        let data = dir.path().join("server");
        Self::begun(dir, data, None)
    }

    /// As [`Town::with_sample`], over TLS: the server has a certificate for 127.0.0.1 by an authority of its own, which every command of
    /// the town trusts, and every replica from then on.
    ///
    /// # Panics
    /// It cannot be had.
    #[track_caller]
    pub fn over_tls() -> Self {
        let dir = tempfile::tempdir().expect("the system has a folder for temporary files");
        let data = dir.path().join("server");
        let authority = Authority::new(&dir.path().join("tls"), "Kommunernas CA");
        authority.issues(&["127.0.0.1"], 2100);
        let mut town = Self::begun(dir, data, Some(authority));
        town.program = town.create(&sample());
        town
    }

    /// As [`Town::with_sample`], with the server's data somewhere else.
    ///
    /// # Panics
    /// It cannot be had.
    #[track_caller]
    pub fn with_data_in(data: &Path) -> Self {
        let dir = tempfile::tempdir().expect("the system has a folder for temporary files");
        let mut town = Self::begun(dir, data.to_owned(), None);
        town.program = town.create(&sample());
        town
    }

    #[track_caller]
    fn begun(dir: TempDir, data: PathBuf, authority: Option<Authority>) -> Self {
        let mut town = Self {
            server: None,
            url: "http://127.0.0.1:0".to_owned(),
            program: String::new(),
            data,
            authority,
            dir,
        };
        town.start();
        town.url = town.server().url().to_owned();
        town
    }

    /// A server with the sample programme on it.
    ///
    /// # Panics
    /// It cannot be had.
    #[track_caller]
    pub fn with_sample() -> Self {
        let mut town = Self::empty();
        town.program = town.create(&sample());
        town
    }

    /// Begins an empty programme, which the municipalities then work on.
    ///
    /// # Panics
    /// It cannot be begun.
    #[track_caller]
    pub fn begin(&mut self, title: &str) {
        let run =
            self.cli(&["program", "create", "--format", "json", "--server", &self.url, "--title", title]);
        self.program = id_of(&run.run().done().object());
    }

    /// Begins a programme with a table; gives its id.
    ///
    /// # Panics
    /// It cannot be begun.
    #[track_caller]
    pub fn create(&self, table: &Path) -> String {
        let run = self
            .cli(&["program", "create", "--format", "json", "--server", &self.url, "--import"])
            .arg(table);
        id_of(&run.run().done().object())
    }

    /// A new replica of a municipality, enrolled.
    ///
    /// # Panics
    /// The server does not take it.
    #[track_caller]
    pub fn municipality(&self, org: &str, member: &str) -> Municipality {
        self.municipality_in(&self.path(org), org, member)
    }

    /// As [`Town::municipality`], in this folder.
    ///
    /// # Panics
    /// The server does not take it.
    #[track_caller]
    pub fn municipality_in(&self, dir: &Path, org: &str, member: &str) -> Municipality {
        let run = self.cli(&["init", "--server", &self.url, "--program", &self.program, "--org", org]);
        run.args(&["--member", member]).arg(dir).run().done();
        Municipality { dir: dir.to_owned(), home: self.home() }
    }

    /// A replica that the test made itself, in the town's folder of that name.
    pub fn replica(&self, name: &str) -> Municipality {
        Municipality { dir: self.path(name), home: self.home() }
    }

    /// A command that is about no replica.
    pub fn cli(&self, args: &[&str]) -> CliRun {
        let run = CliRun::new(&radslag(), self.dir.path(), &self.home()).args(args);
        match &self.authority {
            Some(authority) => run.env("RADSLAG_CA", authority.ca()),
            None => run,
        }
    }

    /// A command of the server's own program.
    pub fn daemon(&self, args: &[&str]) -> CliRun {
        CliRun::new(&radslagd(), self.dir.path(), &self.home()).args(args)
    }

    /// Something in the town's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The server's data directory.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// Who issued the server's certificate.
    ///
    /// # Panics
    /// It speaks no TLS.
    #[track_caller]
    pub fn authority(&self) -> &Authority {
        self.authority.as_ref().expect("the server speaks TLS")
    }

    /// The server's address; it stays the same when the server comes back.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The programme's id.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Ends the server in order.
    ///
    /// # Panics
    /// There is none, or it does not end in order.
    #[track_caller]
    pub fn stop(&mut self) {
        let ended = self.server.take().expect("the server runs").end_in_order();
        assert!(ended.success(), "the server ended with {ended}: {}", self.said());
    }

    /// Ends the server with SIGKILL.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn crash(&mut self) {
        self.server.take().expect("the server runs").crash();
    }

    /// Starts the server again: same data, same address.
    ///
    /// # Panics
    /// It does not come up.
    #[track_caller]
    pub fn start(&mut self) {
        self.try_start("").unwrap_or_else(|said| panic!("radslagd does not come up: {said}"));
    }

    /// As [`Town::start`], after some words of the shell: see [`Server::try_start`].
    ///
    /// # Errors
    /// It does not come up.
    pub fn try_start(&mut self, under: &str) -> Result<(), String> {
        let listen = self.url.trim_start_matches("https://").trim_start_matches("http://").to_owned();
        let tls = self.authority.as_ref().map(|_| {
            let (cert, key) = (self.path("tls/server.pem"), self.path("tls/server.key"));
            format!("export RADSLAG_TLS_CERT='{}' RADSLAG_TLS_KEY='{}';", cert.display(), key.display())
        });
        let under = tls.unwrap_or_default() + under;
        self.server = Some(Server::try_start(&self.data, &listen, &under)?);
        Ok(())
    }

    /// The server that runs.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }

    /// All that the server has written to its log since it was first started.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(stderr_of(&self.data)).unwrap_or_default()).into_owned()
    }

    /// Waits until the server has written this to its log.
    ///
    /// # Panics
    /// It does not within a minute.
    #[track_caller]
    pub fn says_soon(&self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.said().contains(words) {
            assert!(Instant::now() < deadline, "the server never said {words:?}: {}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Copies the data directory of the server, which must not run.
    ///
    /// # Panics
    /// The copy fails.
    #[track_caller]
    pub fn back_up(&self, name: &str) -> PathBuf {
        let to = self.path(name);
        copy(&self.data(), &to).expect("a directory can be copied");
        to
    }

    /// Ends the server with SIGKILL, and its disk is gone.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn burn(&mut self) {
        self.crash();
        fs::remove_dir_all(self.data()).expect("the data directory can be lost");
    }

    /// Puts a copy in the place of the data directory, which is gone; the server must not run.
    ///
    /// # Panics
    /// It cannot be restored.
    #[track_caller]
    pub fn restore(&self, from: &Path) {
        std::fs::remove_dir_all(self.data()).expect("the data directory can be lost");
        let restored = self.daemon(&["restore", "--log", "warn", "--data"]).arg(self.data()).arg(from).run();
        restored.done().says("restored up to position");
    }

    /// Verifies every log of the server, which must not run.
    ///
    /// # Panics
    /// One does not hold.
    #[track_caller]
    pub fn check(&self) {
        self.daemon(&["check", "--log", "warn", "--data"]).arg(self.data()).run().done().says("verified");
    }

    fn home(&self) -> PathBuf {
        self.path("home")
    }
}

fn id_of(created: &Json) -> String {
    created["program_id"].as_str().expect("the answer names the programme").to_owned()
}

/// A municipality's replica.
#[derive(Clone, Debug)]
pub struct Municipality {
    dir: PathBuf,
    home: PathBuf,
}

impl Municipality {
    /// The same replica copied to another folder, key and all, as when a disk is cloned.
    ///
    /// # Panics
    /// It cannot be copied.
    #[track_caller]
    pub fn copied(&self, name: &str) -> Self {
        let dir = self.dir.with_file_name(name);
        copy(&self.dir, &dir).expect("the test's folder can be copied");
        Self { dir, home: self.home.clone() }
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A command in its folder.
    pub fn cli(&self, args: &[&str]) -> CliRun {
        CliRun::new(&radslag(), &self.dir, &self.home).args(args)
    }

    /// Runs a command in its folder.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.cli(args).run()
    }

    /// Runs a command that must do what was asked.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn does(&self, args: &[&str]) -> Outcome {
        self.run(args).done()
    }

    /// Runs a command for its JSON, one object a line.
    ///
    /// # Panics
    /// It does not succeed, or the answer is not JSON.
    #[track_caller]
    pub fn objects(&self, args: &[&str]) -> Vec<Json> {
        self.cli(args).args(&["--format", "json"]).run().done().objects()
    }

    /// Runs a command for the one JSON object that it answers with.
    ///
    /// # Panics
    /// It does not succeed, or the answer is something else.
    #[track_caller]
    pub fn object(&self, args: &[&str]) -> Json {
        self.cli(args).args(&["--format", "json"]).run().done().object()
    }

    /// Queues a change; gives the ids of its events.
    ///
    /// # Panics
    /// It is not queued.
    #[track_caller]
    pub fn queues(&self, args: &[&str]) -> Vec<String> {
        let queued = self.object(args)["queued"].as_array().cloned().unwrap_or_default();
        let ids = queued.iter().filter_map(Json::as_str).map(str::to_owned).collect::<Vec<_>>();
        assert!(!ids.is_empty(), "{args:?} queued nothing");
        ids
    }

    /// The activity whose title this is, as `show --rows` has it; null where there is none.
    ///
    /// # Panics
    /// The programme cannot be shown.
    #[track_caller]
    pub fn activity(&self, title: &str) -> Json {
        let rows = self.objects(&["show", "--rows"]);
        rows.into_iter().find(|row| row["title"] == title).unwrap_or(Json::Null)
    }

    /// Every conflict as `conflicts` lists it, but for the base of this replica's view: the same in all replicas.
    ///
    /// # Panics
    /// They cannot be listed.
    #[track_caller]
    pub fn conflicts(&self) -> Vec<Json> {
        let mut listed = self.objects(&["conflicts"]);
        for conflict in &mut listed {
            let base = conflict.as_object_mut().and_then(|conflict| conflict.remove("base_token"));
            assert!(base.is_some(), "{conflict} has no base");
        }
        listed
    }

    /// What a command says of the programme, to compare with another replica's: without where in the log each of them stands.
    ///
    /// # Panics
    /// It does not succeed, or the answer is not JSON.
    #[track_caller]
    pub fn facts(&self, args: &[&str]) -> Vec<Json> {
        let mut objects = self.objects(args);
        for object in objects.iter_mut().filter_map(Json::as_object_mut) {
            object.remove("basis");
            object.remove("open");
        }
        objects
    }

    /// The exported table, line by line.
    ///
    /// # Panics
    /// It cannot be exported.
    #[track_caller]
    pub fn exported(&self, args: &[&str]) -> String {
        let file = self.dir.join("exported.tsv");
        self.cli(&["export", "--to"]).arg(&file).args(args).run().done();
        fs::read_to_string(&file).expect("the export was written")
    }

    /// Where it stands, to compare with later: position, state, outbox and quarantine.
    ///
    /// # Panics
    /// It does not say.
    #[track_caller]
    pub fn standing(&self) -> (Json, Vec<Json>) {
        (self.object(&["status"]), self.objects(&["outbox", "list"]))
    }
}

/// Everybody syncs until nobody has anything to do.
///
/// # Panics
/// Somebody cannot.
#[track_caller]
pub fn settle(replicas: &[&Municipality]) {
    for _ in 0..3 {
        replicas.iter().for_each(|replica| {
            replica.does(&["sync"]);
        });
    }
}

/// All replicas and the server have the same log and the same programme, and nobody has anything left to hand in.
///
/// # Panics
/// It is not so.
#[track_caller]
pub fn all_equal(replicas: &[&Municipality]) {
    let statuses: Vec<Json> = replicas.iter().map(|replica| replica.object(&["status"])).collect();
    for (replica, status) in replicas.iter().zip(&statuses) {
        assert_eq!(status["state_hash"], statuses[0]["state_hash"], "{}", replica.dir().display());
        assert_eq!([&status["outbox"], &status["lost"]], [0, 0], "{}", replica.dir().display());
        replica.does(&["verify", "--online"]).says("the server has the same log");
    }
}

/// Copies a folder and all in it, but for the socket of a server that was killed.
///
/// # Errors
/// Something in it cannot be read, or the target cannot be written.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
