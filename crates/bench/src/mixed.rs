//! The scenario: eight municipalities at their daily work, each with a replica of its own and in a thread of its own, through the
//! client that the command line uses: edit, sync, read, export. Several edit the same activities, so that there are conflicts.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use radslag_client::author::Act;
use radslag_client::clock::{SystemClock, SystemIds};
use radslag_client::remote::Remote;
use radslag_client::replica::Replica;
use radslag_client::settings::Settings;
use radslag_core::command::{self, Draft, Edit, To};
use radslag_core::event::{Authority, Change};
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceId, EntityId, MemberId, ProgramId};
use radslag_core::parse::cost::{Cost, parse_cost};
use radslag_core::value::Slot;
use radslag_core::view::{self, ProgramView};
use radslag_engine::clock::IdSource as _;
use radslag_table::{ExportActivity, ExportArea, ExportProgram, ExportSubgoal};
use radslag_trust::keys::DeviceKey;
use serde_json::json;

use crate::host::{Host, Place};
use crate::measure::{Gate, Length, Times, rounded};
use crate::writer::Writer;
use crate::{Failed, number};

/// The municipalities that share a programme.
const TOWNS: [&str; 8] =
    ["haninge", "huddinge", "botkyrka", "nykvarn", "nynashamn", "salem", "sodertalje", "tyreso"];
/// How many edits are made offline before a sync.
const EDITS: usize = 5;

/// Eight municipalities edit, sync, read and export through the client crate
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    length: Length,
    /// How many activities they share
    #[arg(long, default_value_t = 32, value_parser = number(1, 250))]
    activities: usize,
}

/// How long each sort of work took.
#[derive(Default)]
struct Worked {
    edit: Vec<Duration>,
    sync: Vec<Duration>,
    read: Vec<Duration>,
    export: Vec<Duration>,
    exported: usize,
}

/// Measures it and prints a cell for each sort of work and one for all.
pub(crate) async fn run(asked: &Asked) -> Result<(), Failed> {
    let host = Host::open(&asked.place).await?;
    let folder = tempfile::tempdir_in(&asked.place.folder.dir)?;
    let (mut first, subgoal) = Writer::begin(host.remote()).await?;
    first.add(host.remote(), subgoal, asked.activities).await?;
    let mut members = Vec::with_capacity(TOWNS.len());
    for (number, town) in TOWNS.into_iter().enumerate() {
        let dir = folder.path().join(town);
        members.push(Member::begin(&host, first.program(), town, number, &dir).await?);
    }
    let begun = host.remote().hello(&first.program().to_string()).await?.head.map_or(0, |head| head.position);
    let meter = host.meter()?;
    let gate = Arc::new(Gate::open(asked.length.bound()));
    let threads: Vec<_> = members
        .into_iter()
        .map(|member| {
            let gate = Arc::clone(&gate);
            std::thread::spawn(move || member.work(&gate))
        })
        .collect();
    let mut all = Worked::default();
    for thread in threads {
        let worked = thread.join().map_err(|_| "a municipality panicked")??;
        all.edit.extend(worked.edit);
        all.sync.extend(worked.sync);
        all.read.extend(worked.read);
        all.export.extend(worked.export);
        all.exported += worked.exported;
    }
    let elapsed = gate.elapsed();
    let ended = host.remote().hello(&first.program().to_string()).await?.head.map_or(0, |head| head.position);
    let (landed, edits) = (ended - begun, all.edit.len());
    if landed != edits as u64 {
        return Err(format!("{edits} edits were made, and {landed} are in the log").into());
    }
    let costs = host.close(&meter)?;
    let server = costs.server;
    for (name, times) in [("edit", all.edit), ("sync", all.sync), ("read", all.read), ("export", all.export)]
    {
        let times = Times::new(times);
        let (p50, p99) = (times.percentile_us(50), times.percentile_us(99));
        println!(
            "{}",
            json!({ "scenario": format!("mixed-{name}"), "times": times.len(), "p50_us": p50, "p99_us": p99 })
        );
    }
    let said = json!({
        "scenario": "mixed", "municipalities": TOWNS.len(), "events": edits,
        "events_per_s": rounded(edits as f64 / elapsed.as_secs_f64(), 0), "exported_bytes": all.exported,
        "load_cpu_s": rounded(costs.load_cpu_s, 2),
        "server_cpu_s": server.map(|server| rounded(server.cpu_s, 2)),
        "server_peak_rss_mib": server.map(|server| server.peak_kib >> 10),
        "disk_bytes_per_event": server.map(|server| server.grown / (edits as u64).max(1)),
    });
    println!("{said}");
    Ok(())
}

/// A municipality and its replica.
struct Member {
    replica: Replica,
    url: String,
    number: usize,
}

impl Member {
    /// A replica that is enrolled.
    async fn begin(
        host: &Host,
        program: ProgramId,
        town: &str,
        number: usize,
        dir: &Path,
    ) -> Result<Self, Failed> {
        let settings = Settings {
            server: host.remote().server().to_owned(),
            ca: None,
            program,
            org: town.parse()?,
            member: MemberId::new(SystemIds.random_id()),
            name: "Anna Be".to_owned(),
            device: DeviceId::new(SystemIds.random_id()),
        };
        let key = DeviceKey::from_seed(SystemIds.random32());
        let mut replica = Replica::make(dir, &settings, &key, Arc::new(SystemClock), Arc::new(SystemIds))?;
        replica.pull(host.remote(), |_, _| {}).await?;
        let (member_id, org_id) = (settings.member, settings.org);
        let mut drafts = vec![Draft::new(Change::DeviceEnrolled {
            device_id: settings.device,
            public_key: *key.public().bytes(),
            member_id,
            org_id: org_id.clone(),
            authority: Authority::Open,
        })];
        if !replica.ledger.state.organisations().contains_key(&org_id) {
            drafts.push(Draft::new(Change::OrganisationAdmitted { org_id: org_id.clone(), party: None }));
        }
        let admitted = Draft::new(Change::MemberAdmitted { member_id, org_id });
        drafts.push(admitted.with_text(Slot::MEMBER_NAME, &settings.name));
        replica.queue(replica.base(), drafts, &Act::default(), false)?;
        replica.sync(host.remote(), |_, _| {}).await?;
        Ok(Self { replica, url: host.remote().server().to_owned(), number })
    }

    /// Works until the cell is over; what was queued then is handed in.
    fn work(mut self, gate: &Gate) -> Result<Worked, Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let remote = runtime.block_on(Remote::connect(&self.url))?;
        let mut worked = Worked::default();
        let mut turn = self.number;
        while gate.admits(EDITS) {
            for _ in 0..EDITS {
                turn += 1;
                let began = Instant::now();
                self.edit(turn)?;
                worked.edit.push(began.elapsed());
            }
            let began = Instant::now();
            let tally = runtime.block_on(self.replica.sync(&remote, |_, _| {}))?;
            worked.sync.push(began.elapsed());
            if !tally.rejections.is_empty() || tally.refused.is_some() {
                return Err("the server declined an edit".into());
            }
            let began = Instant::now();
            let program = self.shown();
            worked.read.push(began.elapsed());
            let began = Instant::now();
            worked.exported += radslag_table::write(None, &to_export(&program))?.len();
            worked.export.push(began.elapsed());
        }
        self.replica.close()?;
        Ok(worked)
    }

    fn shown(&self) -> ProgramView {
        let view = self.replica.view();
        view::program(&view.state, &view, view.day())
    }

    /// Changes one field of one activity, as the command does.
    fn edit(&mut self, turn: usize) -> Result<(), Failed> {
        let activities: Vec<EntityId> =
            self.shown().activities().map(|(_, _, activity)| activity.id).collect();
        let activity = activities[turn % activities.len()];
        // What nobody else says, and nobody has said before.
        let version = turn * TOWNS.len() + self.number;
        let edit = match turn % 3 {
            0 => Edit { field: FieldKey::Cost, to: To::Cost(parse_cost(&format!("{version} kr"))?) },
            1 => Edit { field: FieldKey::Time, to: To::Text(format!("vecka {version}")) },
            _ => Edit { field: FieldKey::Comment, to: To::Text(format!("Läget vid avstämning {version}")) },
        };
        let view = self.replica.view();
        let drafts = command::revise(&view.state, &view, view.day(), activity, &[edit])?;
        drop(view);
        self.replica.queue(self.replica.base(), drafts, &Act::default(), false)?;
        Ok(())
    }
}

/// The whole programme as a table.
fn to_export(program: &ProgramView) -> ExportProgram {
    let activity = |activity: &view::ActivityView| ExportActivity {
        source_line: None,
        title: activity.title.clone(),
        responsible: activity.responsible_text.clone(),
        time: activity.time.clone().unwrap_or_default(),
        cost: activity.cost.as_ref().map(Cost::display).unwrap_or_default(),
        comment: activity.comment.clone().unwrap_or_default(),
    };
    let subgoal = |subgoal: &view::SubgoalView| ExportSubgoal {
        source_line: None,
        title: subgoal.title.clone(),
        activities: subgoal.activities.iter().map(activity).collect(),
    };
    let area = |area: &view::AreaView| ExportArea {
        source_line: None,
        title: area.title.clone(),
        goal: area.goal.clone(),
        subgoals: area.subgoals.iter().map(subgoal).collect(),
    };
    ExportProgram { title: program.title.clone(), areas: program.areas.iter().map(area).collect() }
}
