//! The command line, as `--help` shows it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use radslag_client::form::Form;

use crate::ui::{Format, Lang};

/// One development programme, kept together by several municipalities.
#[derive(Parser, Debug)]
#[command(name = "radslag", version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("RADSLAG_COMMIT"), ")"), max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// Table for people, JSON for programs; Markdown of diff
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Swedish or English (default: the locale's)
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Lang>,
    /// The replica's folder (default: this folder or the nearest one above it)
    #[arg(long, global = true, env = "RADSLAG_REPLICA", value_name = "DIR")]
    pub replica: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// The main job, live, on this machine: server, two municipalities, a conflict, its resolution, the past
    #[command(after_help = "Example: radslag quickstart --no-serve")]
    Quickstart(Quickstart),
    /// Begin a programme, list a server's, or show one of them
    #[command(subcommand)]
    Program(Program),
    /// Make a replica for one organisation and enrol it
    #[command(
        after_help = "Example: radslag init --server http://127.0.0.1:7420 --program ID --org haninge --member \"Håkan\" haninge/"
    )]
    Init(Init),
    /// Get a server's programme, ready to use: a new folder with a replica of it, for one person
    #[command(
        after_help = "Example: radslag clone --server http://127.0.0.1:7420 --org haninge --member \"Håkan\"\n         cd haninge\n         radslag show"
    )]
    Clone(CloneArgs),
    /// Fetch and verify what is new
    Pull,
    /// Hand in what is queued
    Push,
    /// Pull, push, and pull again
    Sync,
    /// Where this replica stands: position, outbox, conflicts
    Status,
    /// Who this replica is
    Whoami,
    /// The programme, now or as of a point in time
    #[command(
        after_help = "Examples: radslag show\n          radslag show --as-of 2019-04-10 --rows\n          radslag show --effective 2027-01-01\n          radslag show --mine --rows\n          radslag show --stale 180\n          radslag show --unowned\n          radslag show --basis @98/2026-11-24/r0/v1"
    )]
    Show(Show),
    /// Change an activity; without options, on a terminal, it asks field by field
    #[command(
        after_help = "Examples: radslag edit \"Nyckeltalsdagen\"\n          radslag edit \"Nyckeltalsdagen\" --cost 50000 --reason \"offert\"\n          radslag edit \"Nyckeltalsdagen\" --cost 60000 --effective 2027-01-01 --decision KS-2026/123\nAs it was shown earlier: radslag edit \"Nyckeltalsdagen\" --cost 50000 --base 98.12.d3df318b.6adef326.dbfa"
    )]
    Edit(Edit),
    /// Areas: add, edit, move, retire, restore, show
    #[command(subcommand)]
    Area(AreaCommand),
    /// Sub-goals: add, edit, move, retire, restore, show
    #[command(subcommand)]
    Subgoal(SubgoalCommand),
    /// Activities: add, edit, move, retire, restore, show
    #[command(subcommand)]
    Activity(ActivityCommand),
    /// Parties: add, edit, retire, restore, show
    #[command(subcommand)]
    Party(PartyCommand),
    /// Set back what one event changed
    #[command(after_help = "Example: radslag undo 3f2a91bc --reason \"fel rad\"")]
    Undo(Undo),
    /// Every change of one entry: before, after, who, when, why
    #[command(
        after_help = "Examples: radslag history \"Nyckeltalsdagen\"\n          radslag history \"Nyckeltalsdagen\" --effective 2019-07-01"
    )]
    History(History),
    /// Every field with its last author
    #[command(after_help = "Example: radslag blame --as-of yesterday")]
    Blame(Blame),
    /// What changed between two points in time
    #[command(
        after_help = "Examples: radslag diff 2019-04-10\n          radslag diff @12 @40\n          radslag diff \"Beslutad 2026\" --format md > report.md"
    )]
    Diff(Diff),
    /// The records of the log
    #[command(
        after_help = "Examples: radslag log --last 20\n          radslag log --by org\n          radslag log --decision KS-2019/123"
    )]
    Log(Log),
    /// Where municipalities disagree
    Conflicts(Conflicts),
    /// Settle a conflict
    #[command(
        after_help = "Examples: radslag resolve 5d0c1a77 --take haninge\n          radslag resolve 5d0c1a77 --value \"60 000 kr\""
    )]
    Resolve(Resolve),
    /// Own changes that wait, and those that will not land: list, discard, resubmit
    #[command(
        after_help = "Examples: radslag outbox\n          radslag outbox resubmit 1 --value \"60 000 kr\"\n          radslag outbox discard 2 3"
    )]
    Outbox(Outbox),
    /// Import a table: begin an empty programme with it, or propose what was changed in an exported one
    #[command(
        after_help = "Examples: radslag import samples/sodertorn-2019.tsv\n          radslag import --dry-run plan.csv\n          radslag import plan.csv --reason \"beredningens genomgång\"\n          radslag import plan.tsv --base 98.12.d3df318b.6adef326.dbfa/2026-11-24"
    )]
    Import(Import),
    /// Write the programme as a table, now or as of a point in time
    #[command(
        after_help = "Examples: radslag export --to plan.csv\n          radslag export --as-of 2019-04-10 --to before.tsv\n          radslag export --to plan.json"
    )]
    Export(Export),
    /// Check the whole local log: signatures, sequences, rules, Merkle root
    Verify(Verify),
    /// Fetch and verify the history before the snapshot that this replica began from
    #[command(after_help = "Example: radslag fetch-history --most 50000")]
    FetchHistory(FetchHistory),
    /// Follow changes as they come: who, what and why; they are kept in the replica too
    #[command(
        after_help = "Examples: radslag watch --format json\n          radslag watch --area Näringsliv --org haninge"
    )]
    Watch(Watch),
    /// Named points in time: add, list
    #[command(
        subcommand,
        after_help = "Examples: radslag baseline add \"Beslutad 2026\" --at 2026-06-15 --decision KS-2026/123\n          radslag diff \"Beslutad 2026\""
    )]
    Baseline(BaselineCommand),
    /// Completions for a shell
    #[command(
        hide = true,
        after_help = "Example: radslag completions bash > ~/.local/share/bash-completion/completions/radslag"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Manual pages, one a command
    #[command(hide = true, after_help = "Example: radslag man ~/.local/share/man/man1")]
    Man {
        /// The folder to write them to
        dir: PathBuf,
    },
    /// (not yet) Write one change with its proof to a file
    #[command(hide = true)]
    Prove(Later),
    /// (not yet) Check such a file
    #[command(hide = true, name = "check-proof")]
    CheckProof(Later),
    /// (not yet) Members
    #[command(hide = true)]
    Member(Later),
    /// (not yet) Roles
    #[command(hide = true)]
    Role(Later),
    /// (not yet) Devices
    #[command(hide = true)]
    Device(Later),
    /// (not yet) Invitations
    #[command(hide = true)]
    Invite(Later),
}

/// Whatever follows a command that is not there yet.
#[derive(Args, Debug)]
pub struct Later {
    /// Ignored
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<String>,
}

/// `quickstart`.
#[derive(Args, Debug)]
pub struct Quickstart {
    /// End after the tour instead of serving on
    #[arg(long)]
    pub no_serve: bool,
    /// Where the server and the two replicas keep their data
    #[arg(long, value_name = "DIR", default_value = "radslag-data")]
    pub data: PathBuf,
}

/// `program`.
#[derive(Subcommand, Debug)]
pub enum Program {
    /// Begin a programme on a server, empty or from a table
    #[command(
        after_help = "Example: radslag program create --server http://127.0.0.1:7420 --import samples/sodertorn-2019.tsv"
    )]
    Create(ProgramCreate),
    /// The programmes of a server
    #[command(after_help = "Example: radslag program list --server http://127.0.0.1:7420")]
    List {
        /// The server's address
        #[arg(long, env = "RADSLAG_SERVER", value_name = "URL")]
        server: String,
        /// Trust the authorities in this PEM file for an https:// address, and no others (default: those of this computer)
        #[arg(long, env = "RADSLAG_CA", value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// One programme as the server has it, without a replica: areas, sums, conflicts, named points
    #[command(after_help = "Example: radslag program show --server http://127.0.0.1:7420")]
    Show(ProgramShow),
}

/// `program show`.
#[derive(Args, Debug)]
pub struct ProgramShow {
    /// Which, by its id or its title (default: the only one on the server)
    pub program: Option<String>,
    /// The server's address
    #[arg(long, env = "RADSLAG_SERVER", value_name = "URL")]
    pub server: String,
    /// Trust the authorities in this PEM file for an https:// address, and no others (default: those of this computer)
    #[arg(long, env = "RADSLAG_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// `program create`.
#[derive(Args, Debug)]
pub struct ProgramCreate {
    /// The server's address
    #[arg(long, env = "RADSLAG_SERVER", value_name = "URL")]
    pub server: String,
    /// Trust the authorities in this PEM file for an https:// address, and no others (default: those of this computer)
    #[arg(long, env = "RADSLAG_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// A table to begin with
    #[arg(long, value_name = "FILE")]
    pub import: Option<PathBuf>,
    /// The programme's title (default: the table's)
    #[arg(long)]
    pub title: Option<String>,
    /// The organisation that begins it
    #[arg(long, default_value = "kansli")]
    pub org: String,
    /// Your name (default: the login name)
    #[arg(long, value_name = "NAME")]
    pub member: Option<String>,
    /// Where the creating replica and its key are kept (default: a folder under $RADSLAG_HOME)
    pub dir: Option<PathBuf>,
}

/// Who takes part, and where.
#[derive(Args, Debug)]
pub struct Join {
    /// The server's address
    #[arg(long, env = "RADSLAG_SERVER", value_name = "URL")]
    pub server: String,
    /// Trust the authorities in this PEM file for an https:// address, and no others (default: those of this computer)
    #[arg(long, env = "RADSLAG_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The organisation's short name: a-z, 0-9 and -
    #[arg(long)]
    pub org: String,
    /// Your name
    #[arg(long, value_name = "NAME")]
    pub member: String,
    /// (not yet) An invitation's code
    #[arg(long, hide = true)]
    pub invite: Option<String>,
    /// Fetch and verify the whole history first, however long it is
    #[arg(long)]
    pub full: bool,
    /// From how many records on the replica begins from a snapshot
    #[arg(long, hide = true, value_name = "RECORDS", default_value_t = 5_000, conflicts_with = "full")]
    pub snapshot_above: u64,
}

/// `init`.
#[derive(Args, Debug)]
pub struct Init {
    /// The programme's id
    #[arg(long, value_name = "ID")]
    pub program: String,
    /// Who, and where
    #[command(flatten)]
    pub join: Join,
    /// The replica's folder
    #[arg(default_value = ".")]
    pub dir: PathBuf,
}

/// `clone`.
#[derive(Args, Debug)]
pub struct CloneArgs {
    /// Which programme, by its id or its title (default: the only one on the server)
    #[arg(long, value_name = "ID")]
    pub program: Option<String>,
    /// Who, and where
    #[command(flatten)]
    pub join: Join,
    /// The folder to make (default: one with the organisation's name)
    pub dir: Option<PathBuf>,
}

/// `fetch-history`.
#[derive(Args, Debug)]
pub struct FetchHistory {
    /// Stop after about this many records; the next run goes on from there
    #[arg(long, value_name = "RECORDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub most: Option<u64>,
}

/// `show`.
#[derive(Args, Debug)]
pub struct Show {
    /// When
    #[command(flatten)]
    pub at: At,
    /// Only this area
    #[arg(long, value_name = "AREA")]
    pub area: Option<String>,
    /// Only activities that this organisation or party, or somebody who belongs to it, is responsible for or leads
    #[arg(long, value_name = "ORG", conflicts_with = "mine")]
    pub org: Option<String>,
    /// The same for this replica's own organisation
    #[arg(long)]
    pub mine: bool,
    /// One row an activity
    #[arg(long)]
    pub rows: bool,
    /// Only activities that nobody has touched for so many days (180 unless told), the longest untouched first
    #[arg(long, value_name = "DAYS", num_args = 0..=1, default_missing_value = "180")]
    pub stale: Option<u32>,
    /// Only activities that nobody in the programme is responsible for or leads
    #[arg(long, conflicts_with_all = ["mine", "org"])]
    pub unowned: bool,
}

/// Why something is changed, and what its author was looking at.
#[derive(Args, Debug, Default, Clone)]
pub struct Why {
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Which decision: its registry number
    #[arg(long, value_name = "NUMBER")]
    pub decision: Option<String>,
    /// What you were looking at: the base that status, show, conflicts or export gave (default: what is there now)
    #[arg(long, value_name = "TOKEN")]
    pub base: Option<Form>,
}

/// What a change says beside the fields, and what its author was looking at.
#[derive(Args, Debug, Default, Clone)]
pub struct Beside {
    /// Why, by which decision, in sight of what
    #[command(flatten)]
    pub why: Why,
    /// From which day it applies: 2027-01-01 (default: from the day it is written)
    #[arg(long, value_name = "DATE")]
    pub effective: Option<String>,
}

/// Which point is read.
#[derive(Args, Debug, Default, Clone)]
pub struct At {
    /// As of a point in time: 2019-04-10, 2019-04-10T12:00:00, yesterday, @12, a baseline's name
    #[arg(long, value_name = "WHEN")]
    pub as_of: Option<String>,
    /// What applies on that day: 2027-01-01 (default: today, or the day of the last record that is read; a baseline has its own)
    #[arg(long, value_name = "DATE")]
    pub effective: Option<String>,
    /// On the basis of an earlier answer, as it was printed: @98/2026-11-24/r0/v1
    #[arg(long, value_name = "BASIS", conflicts_with_all = ["as_of", "effective"])]
    pub basis: Option<String>,
}

/// The fields of an activity.
#[derive(Args, Debug, Default, Clone)]
pub struct ActivityFields {
    /// When: Löpande, våren, 10-apr, v. 12
    #[arg(long)]
    pub time: Option<String>,
    /// What it costs: 50000, 50 000 kr, 2 mnkr
    #[arg(long)]
    pub cost: Option<String>,
    /// Comment
    #[arg(long)]
    pub comment: Option<String>,
    /// Make a party responsible (repeatable)
    #[arg(long, value_name = "PARTY")]
    pub assign: Vec<String>,
    /// Which party leads
    #[arg(long, value_name = "PARTY")]
    pub lead: Option<String>,
}

/// `edit`.
#[derive(Args, Debug, Clone, Default)]
pub struct Edit {
    /// The activity: its title or the beginning of it, or digits of its id
    pub activity: String,
    /// A new title
    #[arg(long)]
    pub title: Option<String>,
    /// The other fields
    #[command(flatten)]
    pub fields: ActivityFields,
    /// Make a party no longer responsible (repeatable)
    #[arg(long, value_name = "PARTY")]
    pub unassign: Vec<String>,
    /// Empty a field: time, cost, comment, lead (repeatable)
    #[arg(long, value_name = "FIELD")]
    pub clear: Vec<String>,
    /// Land only if nobody has changed these fields meanwhile
    #[arg(long)]
    pub strict: bool,
    /// Why, by which decision, from which day
    #[command(flatten)]
    pub beside: Beside,
}

/// `history`.
#[derive(Args, Debug)]
pub struct History {
    /// Its title or the beginning of it, or digits of its id
    pub name: String,
    /// Up to a point in time: 2019-04-10, 2019-04-10T12:00:00, yesterday, @12, a baseline's name
    #[arg(long, value_name = "WHEN")]
    pub as_of: Option<String>,
    /// What each change did to that day: 2027-01-01 (default: to the day on which it was recorded)
    #[arg(long, value_name = "DATE")]
    pub effective: Option<String>,
    /// On the basis of an earlier answer, as it was printed: @98/2026-11-24/r0/v1
    #[arg(long, value_name = "BASIS", conflicts_with = "as_of")]
    pub basis: Option<String>,
}

/// Something that is named, at a point: `area show` and its like.
#[derive(Args, Debug)]
pub struct NamedAt {
    /// Its title or the beginning of it, or digits of its id
    pub name: String,
    /// When
    #[command(flatten)]
    pub at: At,
}

/// `retire` and `restore`.
#[derive(Args, Debug)]
pub struct NamedWhy {
    /// Its title or the beginning of it, or digits of its id
    pub name: String,
    /// Why, by which decision, from which day
    #[command(flatten)]
    pub beside: Beside,
}

/// Where among its siblings something goes.
#[derive(Args, Debug)]
pub struct MoveTo {
    /// Its title or the beginning of it, or digits of its id
    pub name: String,
    /// What it shall stand in (default: where it stands)
    #[arg(long, value_name = "PARENT")]
    pub to: Option<String>,
    /// Before this sibling
    #[arg(long, value_name = "SIBLING", conflicts_with = "after")]
    pub before: Option<String>,
    /// After this sibling
    #[arg(long, value_name = "SIBLING")]
    pub after: Option<String>,
    /// Why, by which decision, from which day
    #[command(flatten)]
    pub beside: Beside,
}

/// `area`.
#[derive(Subcommand, Debug)]
pub enum AreaCommand {
    /// Add an area
    #[command(after_help = "Example: radslag area add --title Bostäder --goal \"Fler bostäder\"")]
    Add {
        /// Its name
        #[arg(long)]
        title: String,
        /// Its main goal
        #[arg(long)]
        goal: Option<String>,
        /// Why, by which decision, from which day
        #[command(flatten)]
        beside: Beside,
    },
    /// Change name or main goal
    Edit {
        /// Which
        name: String,
        /// A new name
        #[arg(long)]
        title: Option<String>,
        /// A new main goal; empty text removes it
        #[arg(long)]
        goal: Option<String>,
        /// Why, by which decision, from which day
        #[command(flatten)]
        beside: Beside,
    },
    /// Move it among the areas
    Move(MoveTo),
    /// Take it out of the programme; nothing is deleted
    Retire(NamedWhy),
    /// Bring it back
    Restore(NamedWhy),
    /// Show it
    Show(NamedAt),
}

/// `subgoal`.
#[derive(Subcommand, Debug)]
pub enum SubgoalCommand {
    /// Add a sub-goal
    Add {
        /// The area it stands in
        #[arg(long)]
        area: String,
        /// What it says
        #[arg(long)]
        title: String,
        /// Why, by which decision, from which day
        #[command(flatten)]
        beside: Beside,
    },
    /// Change its text
    Edit {
        /// Which
        name: String,
        /// A new text
        #[arg(long)]
        title: String,
        /// Why, by which decision, from which day
        #[command(flatten)]
        beside: Beside,
    },
    /// Move it, also to another area
    Move(MoveTo),
    /// Take it out of the programme; nothing is deleted
    Retire(NamedWhy),
    /// Bring it back
    Restore(NamedWhy),
    /// Show it
    Show(NamedAt),
}

/// `activity`.
#[derive(Subcommand, Debug)]
pub enum ActivityCommand {
    /// Add an activity
    #[command(
        after_help = "Example: radslag activity add --subgoal \"Samordnat agerande\" --title \"Gemensam upphandling\" --cost 20000"
    )]
    Add {
        /// The sub-goal it stands in
        #[arg(long)]
        subgoal: String,
        /// What is done
        #[arg(long)]
        title: String,
        /// The other fields
        #[command(flatten)]
        fields: ActivityFields,
        /// Why, by which decision, from which day
        #[command(flatten)]
        beside: Beside,
    },
    /// Change it: the same as radslag edit
    Edit(Edit),
    /// Move it, also to another sub-goal
    Move(MoveTo),
    /// Take it out of the programme; nothing is deleted
    Retire(NamedWhy),
    /// Bring it back
    Restore(NamedWhy),
    /// Show it
    Show(NamedAt),
}

/// `party`.
#[derive(Subcommand, Debug)]
pub enum PartyCommand {
    /// Add a party
    Add {
        /// Its name
        #[arg(long)]
        name: String,
        /// municipality, collective, organisation, network, role-group, project or person
        #[arg(long, default_value = "organisation")]
        kind: String,
        /// The organisation that a person belongs to
        #[arg(long)]
        organisation: Option<String>,
        /// Why, by which decision, from which day
        #[command(flatten)]
        beside: Beside,
    },
    /// Rename it: one change, wherever it is named
    Edit {
        /// Which
        party: String,
        /// A new name
        #[arg(long)]
        name: Option<String>,
        /// The organisation that a person belongs to; empty text removes it
        #[arg(long)]
        organisation: Option<String>,
        /// Why, by which decision, from which day
        #[command(flatten)]
        beside: Beside,
    },
    /// A party has no place in the order
    Move(MoveTo),
    /// Take it out of the programme; nothing is deleted
    Retire(NamedWhy),
    /// Bring it back
    Restore(NamedWhy),
    /// Show it
    Show(NamedAt),
}

/// `undo`.
#[derive(Args, Debug)]
pub struct Undo {
    /// The event, by the eight digits that history and log print
    pub event: String,
    /// Why and by which decision
    #[command(flatten)]
    pub why: Why,
}

/// `blame`.
#[derive(Args, Debug)]
pub struct Blame {
    /// Only this entry
    pub name: Option<String>,
    /// When
    #[command(flatten)]
    pub at: At,
}

/// `diff`.
#[derive(Args, Debug)]
pub struct Diff {
    /// The earlier point: 2019-04-10, 2019-04-10T12:00:00, yesterday, @12, a baseline's name
    #[arg(required_unless_present = "basis")]
    pub from: Option<String>,
    /// The later point (default: now)
    pub to: Option<String>,
    /// What applies on that day at both points; two days, FROM..TO, for each its own
    #[arg(long, value_name = "DATE")]
    pub effective: Option<String>,
    /// On the bases of an earlier answer, as they were printed: FROM..TO
    #[arg(long, value_name = "BASES", conflicts_with_all = ["from", "to", "effective"])]
    pub basis: Option<String>,
}

/// What `log --by` counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// By organisation.
    Org,
    /// By member.
    Member,
}

/// `log`.
#[derive(Args, Debug)]
pub struct Log {
    /// Only the last this many
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
    /// Count by organisation or member instead of listing
    #[arg(long, value_enum, value_name = "WHO")]
    pub by: Option<By>,
    /// Only what was done by this decision: its registry number or a part of it
    #[arg(long, value_name = "NUMBER")]
    pub decision: Option<String>,
    /// Up to a point in time: 2019-04-10, 2019-04-10T12:00:00, yesterday, @12, a baseline's name
    #[arg(long, value_name = "WHEN")]
    pub as_of: Option<String>,
    /// On the basis of an earlier answer, as it was printed: @98/2026-11-24/r0/v1
    #[arg(long, value_name = "BASIS", conflicts_with = "as_of")]
    pub basis: Option<String>,
}

/// `conflicts`.
#[derive(Args, Debug)]
pub struct Conflicts {
    /// Only those in which this organisation wrote a side
    #[arg(long)]
    pub org: Option<String>,
    /// When
    #[command(flatten)]
    pub at: At,
}

/// `baseline`.
#[derive(Subcommand, Debug)]
pub enum BaselineCommand {
    /// Give a point a name, for everybody
    #[command(
        after_help = "Example: radslag baseline add \"Beslutad 2026\" --at 2026-06-15 --decision KS-2026/123"
    )]
    Add(BaselineAdd),
    /// The points that have a name
    List,
}

/// `baseline add`.
#[derive(Args, Debug)]
pub struct BaselineAdd {
    /// The name; it can be used wherever a point in time is asked for
    pub name: String,
    /// The point: 2019-04-10, 2019-04-10T12:00:00, yesterday, @12, another baseline (default: the last record that is here)
    #[arg(long, value_name = "WHEN")]
    pub at: Option<String>,
    /// The day that it is read for: 2027-01-01 (default: the day of its last record, or that of the baseline in --at)
    #[arg(long, value_name = "DATE")]
    pub effective: Option<String>,
    /// Why and by which decision
    #[command(flatten)]
    pub why: Why,
}

/// `resolve`.
#[derive(Args, Debug)]
pub struct Resolve {
    /// The conflict, by the eight digits that conflicts prints
    pub conflict: String,
    /// The side that stands: its event, its number in the list, or its organisation
    #[arg(long, value_name = "SIDE", conflicts_with_all = ["value", "edit"], required_unless_present_any = ["value", "edit"])]
    pub take: Option<String>,
    /// A new value that stands
    #[arg(long, value_name = "VALUE", conflicts_with = "edit")]
    pub value: Option<String>,
    /// Write what stands in an editor ($VISUAL, $EDITOR); it begins with what the sides give together
    #[arg(long)]
    pub edit: bool,
    /// Why, by which decision, from which day
    #[command(flatten)]
    pub beside: Beside,
}

/// `outbox`.
#[derive(Args, Debug)]
pub struct Outbox {
    /// What to do with it (default: list)
    #[command(subcommand)]
    pub command: Option<OutboxCommand>,
}

/// What can be done with the outbox.
#[derive(Subcommand, Debug)]
pub enum OutboxCommand {
    /// What waits to be pushed, and what will not land
    List,
    /// Give up changes that will not land, or the last ones that no server can have seen
    #[command(
        after_help = "Examples: radslag outbox discard 1 2\n          radslag outbox discard --all --yes"
    )]
    Discard(OutboxDiscard),
    /// Write changes that will not land anew and queue them: in the place of the old ones, seen from where those were made
    #[command(
        after_help = "Examples: radslag outbox resubmit 1\n          radslag outbox resubmit 1 --value \"60 000 kr\" --strict"
    )]
    Resubmit(OutboxResubmit),
}

/// `outbox discard`.
#[derive(Args, Debug)]
pub struct OutboxDiscard {
    /// Which: numbers as the list prints them (3, 4–5, q12), or digits of the event; a group goes as a whole
    #[arg(value_name = "N", required_unless_present = "all")]
    pub numbers: Vec<String>,
    /// Everything that will not land
    #[arg(long, conflicts_with = "numbers")]
    pub all: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// `outbox resubmit`.
#[derive(Args, Debug)]
pub struct OutboxResubmit {
    /// Which: numbers as the list prints them (3, 4–5), or digits of the event; a group goes as a whole
    #[arg(value_name = "N", required_unless_present = "all")]
    pub numbers: Vec<String>,
    /// Everything that will not land
    #[arg(long, conflicts_with = "numbers")]
    pub all: bool,
    /// With this value instead of the one that was typed
    #[arg(long, value_name = "VALUE", conflicts_with_all = ["all", "edit"])]
    pub value: Option<String>,
    /// With the value as it is after an editor ($VISUAL, $EDITOR)
    #[arg(long, conflicts_with = "all")]
    pub edit: bool,
    /// Applying from this day on instead of the one that it had
    #[arg(long, value_name = "DATE")]
    pub effective: Option<String>,
    /// Land only if nobody changes the fields from what they are now
    #[arg(long)]
    pub strict: bool,
}

/// `watch`.
#[derive(Args, Debug)]
pub struct Watch {
    /// Show only what happens in this area
    #[arg(long, value_name = "AREA")]
    pub area: Option<String>,
    /// Show only what this organisation does
    #[arg(long, value_name = "ORG")]
    pub org: Option<String>,
}

/// `import`.
#[derive(Args, Debug)]
pub struct Import {
    /// The table: .tsv, .csv (or .txt), .json
    pub file: PathBuf,
    /// Only say what would change
    #[arg(long)]
    pub dry_run: bool,
    /// What the file was exported from, as export printed it; CSV and JSON carry it
    #[arg(long, value_name = "BASE", conflicts_with = "as_of")]
    pub base: Option<String>,
    /// The same by a point in time: when the file was exported
    #[arg(long, value_name = "WHEN")]
    pub as_of: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Which decision: its registry number
    #[arg(long, value_name = "NUMBER")]
    pub decision: Option<String>,
    /// From which day the changes apply: 2027-01-01 (default: from the day they are written)
    #[arg(long, value_name = "DATE")]
    pub effective: Option<String>,
}

/// `export`.
#[derive(Args, Debug)]
pub struct Export {
    /// When
    #[command(flatten)]
    pub at: At,
    /// The file to write, ending in .tsv, .csv or .json
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// What stands between the cells of a CSV file: ; or , or tab
    #[arg(long, value_name = "SIGN", default_value = ";", value_parser = delimiter)]
    pub delimiter: char,
}

/// Reads `--delimiter`.
fn delimiter(text: &str) -> Result<char, String> {
    match text {
        ";" => Ok(';'),
        "," => Ok(','),
        "tab" | "\t" => Ok('\t'),
        _ => Err("write ; or , or tab".to_owned()),
    }
}

/// `verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// Also compare with the server's checkpoint
    #[arg(long)]
    pub online: bool,
}
