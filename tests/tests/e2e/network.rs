//! The laws of sync over real connections that break: cut, half-closed, stalled, delayed, said twice.

use std::collections::BTreeSet;

use radslag_client::ClientError;
use radslag_client::remote::Remote;
use radslag_core::command::{self, Edit, To};
use radslag_core::event::Base;
use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, EventId};
use radslag_core::state::EntityKind;
use radslag_core::verdict::Verdict;
use radslag_proto::api::v1 as api;
use radslag_proto::convert::verdict::decode_answer;
use radslag_tests::fleet::server_stands;
use radslag_tests::member::{Learned, Member};
use radslag_tests::proxy::{Fault, Proxy};
use radslag_tests::{Municipality, Town, check};

/// A bad network before a town's server, and two who edit over it.
struct Shore {
    town: Town,
    proxy: Proxy,
    haninge: Member,
    huddinge: Member,
}

impl Shore {
    async fn new(seed: u64) -> Self {
        let town = Town::with_sample();
        let proxy = Proxy::before(town.url()).await;
        let open = |org: &str, seed| Member::open(town.municipality(org, "Eva").dir(), seed).unwrap();
        let (haninge, huddinge) = (open("haninge", seed), open("huddinge", seed + 1000));
        Self { town, proxy, haninge, huddinge }
    }

    async fn direct(&self) -> Remote {
        Remote::connect(self.town.url()).await.unwrap()
    }

    async fn through_the_storm(&self) -> Result<Remote, ClientError> {
        Remote::connect(&self.proxy.url()).await
    }

    /// The server's last record.
    async fn head(&self) -> u64 {
        self.direct().await.hello(self.town.program()).await.unwrap().head.unwrap().position
    }
}

/// Queues a comment that nobody else writes.
fn comment(member: &mut Member, text: &str) -> EventId {
    let view = member.replica.view();
    let activity = |(id, entity): (EntityId, &radslag_core::state::Entity)| {
        (entity.kind == EntityKind::Activity).then_some(id)
    };
    let first = view.state.entities().find_map(activity).unwrap();
    let edit = Edit { field: FieldKey::Comment, to: To::Text(text.to_owned()) };
    let drafts = command::revise(&view.state, &view, view.day(), first, &[edit]).unwrap();
    let base: Base = member.replica.base();
    let events = member.replica.queue(base, drafts, &Default::default(), false).unwrap();
    events[0]
}

/// A failure of the network and of nothing else. Above all, a bad network is not an alarm.
#[track_caller]
fn only_the_network(synced: Result<(), ClientError>) {
    match synced {
        Ok(()) | Err(ClientError::NoAnswer { .. }) => {}
        Err(error) => panic!("the network broke more than a connection: {error:?}"),
    }
}

fn times_in_log(member: &Member, event: EventId) -> usize {
    member.replica.records().unwrap().iter().filter(|record| record.event_id == event).count()
}

async fn attempt(member: &mut Member, url: &str) -> Result<(), ClientError> {
    let remote = Remote::connect(url).await?;
    member.sync(&remote).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_whose_answer_was_lost_is_answered_again_and_recorded_once() {
    let mut shore = Shore::new(1).await;
    let event = comment(&mut shore.haninge, "Svaret på detta kommer bort");
    let before = shore.head().await;
    shore.proxy.next(Fault::LoseAnswerTo("Svaret på detta kommer bort".into()));
    let remote = shore.through_the_storm().await.unwrap();
    shore.haninge.replica.push(&remote, |_, _| {}).await.unwrap_err();
    assert_eq!(shore.proxy.seen().answers_lost, 1);
    // It has landed, and its author cannot know.
    assert_eq!(shore.head().await, before + 1);
    assert_eq!(shore.haninge.replica.outbox.len(), 1);
    let bundle = Some(shore.haninge.replica.bundle(0..1).unwrap());
    let again = api::PushRequest { bundle, request_id: String::new() };
    let answers = shore.direct().await.sync().push(again).await.unwrap().into_inner().answers;
    let (_, verdict) = decode_answer(&answers[0]).unwrap();
    assert!(matches!(verdict, Verdict::DuplicateAccepted(_)), "{verdict:?}");
    assert_eq!(shore.head().await, before + 1);
    shore.haninge.sync(&shore.direct().await).await.unwrap();
    assert!(shore.haninge.replica.outbox_is_empty());
    assert_eq!(times_in_log(&shore.haninge, event), 1);
    shore.proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_inside_a_record_is_taken_up_where_it_broke() {
    let mut shore = Shore::new(2).await;
    let direct = shore.direct().await;
    for n in 0..40 {
        comment(&mut shore.huddinge, &format!("Rad {n} av fyrtio"));
        if n % 4 == 3 {
            shore.huddinge.sync(&direct).await.unwrap();
        }
    }
    let before = shore.haninge.standing().position;
    for line in ["Rad 0 av", "Rad 21 av", "Rad 39 av"] {
        shore.proxy.next(Fault::CutInside(line.into()));
        let remote = shore.through_the_storm().await.unwrap();
        let broken = shore.haninge.replica.pull(&remote, |_, _| {}).await;
        only_the_network(broken.map(|_| panic!("the whole stream came through")));
        assert!(shore.haninge.standing().position < before + 40);
        shore.haninge.replica.verify().unwrap();
    }
    assert_eq!(shore.proxy.seen().cut, 3);
    let remote = shore.through_the_storm().await.unwrap();
    shore.haninge.replica.pull(&remote, |_, _| {}).await.unwrap();
    assert_eq!(shore.haninge.standing(), shore.huddinge.standing());
    shore.haninge.replica.verify().unwrap();
    shore.proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_said_twice_records_nothing_twice() {
    let mut shore = Shore::new(3).await;
    let events = [comment(&mut shore.haninge, "En gång"), comment(&mut shore.haninge, "Och en till")];
    shore.proxy.next(Fault::Repeat);
    let remote = shore.through_the_storm().await.unwrap();
    shore.haninge.sync(&remote).await.unwrap();
    let before = shore.head().await;
    drop(remote);
    shore.proxy.until(|seen| seen.repeated == 1).await;
    assert_eq!(shore.head().await, before);
    shore.haninge.sync(&shore.direct().await).await.unwrap();
    assert!(events.iter().all(|event| times_in_log(&shore.haninge, *event) == 1));
    shore.proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_stands_still_holds_up_nobody_else_and_catches_up() {
    let mut shore = Shore::new(4).await;
    let (mut haninge, url) = (shore.haninge, shore.proxy.url());
    shore.proxy.next(Fault::Stall);
    let waiting = tokio::spawn(async move {
        attempt(&mut haninge, &url).await.unwrap();
        haninge
    });
    shore.proxy.until(|seen| seen.stalled == 1).await;
    let direct = Remote::connect(shore.town.url()).await.unwrap();
    comment(&mut shore.huddinge, "Medan Haninge väntar");
    shore.huddinge.sync(&direct).await.unwrap();
    shore.proxy.release();
    let haninge = waiting.await.unwrap();
    assert_eq!(haninge.standing(), shore.huddinge.standing());
    shore.proxy.stop().await;
}

/// A replica of the same town that the command line works on, with the bad network as its server.
fn by_hand(town: &Town, proxy: &Proxy) -> Municipality {
    let salem = town.municipality("salem", "Åke");
    let settings = salem.dir().join(".radslag/replica.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace(town.url(), &proxy.url())).unwrap();
    salem
}

/// Edits of everybody through one seed's storm; then the sky clears, and everything is accounted for.
async fn weather_a_storm(seed: u64) {
    let mut shore = Shore::new(seed).await;
    let salem = by_hand(&shore.town, &shore.proxy);
    let url = shore.proxy.url();
    let mut events = [BTreeSet::new(), BTreeSet::new()];
    let mut salems = BTreeSet::new();
    shore.proxy.storm(seed);
    for round in 0..12 {
        for (member, events) in [&mut shore.haninge, &mut shore.huddinge].into_iter().zip(&mut events) {
            let most = 1 + member.dice().below(4);
            events.extend(member.edit(most).unwrap());
        }
        if round % 4 == 0 {
            salems.extend(salem.queues(&["edit", "Nyckeltalsdagen", "--cost", &round.to_string()]));
            let synced = salem.run(&["sync"]);
            assert!(matches!(synced.code, Some(0 | 1 | 4)), "{synced}");
        }
        let (one, two) = tokio::join!(attempt(&mut shore.haninge, &url), attempt(&mut shore.huddinge, &url));
        only_the_network(one);
        only_the_network(two);
    }
    assert!(shore.proxy.seen().cut > 0, "seed {seed} was no storm: {:?}", shore.proxy.seen());
    shore.proxy.calm();
    salem.does(&["sync"]);
    for _ in 0..2 {
        attempt(&mut shore.haninge, &url).await.unwrap();
        attempt(&mut shore.huddinge, &url).await.unwrap();
    }
    salem.does(&["sync"]);
    let standing = shore.haninge.standing();
    assert_eq!(standing, shore.huddinge.standing(), "seed {seed}");
    let by_hand = salem.object(&["status"]);
    assert_eq!((&by_hand["outbox"], &by_hand["quarantine"]), (&0.into(), &0.into()), "seed {seed}");
    assert_eq!(by_hand["state_hash"], standing.state_hash, "seed {seed}");
    assert_eq!(salem.objects(&["conflicts"]).len(), standing.conflicts.len(), "seed {seed}");
    assert_eq!(server_stands(&shore.town).await, standing, "seed {seed}");
    for (member, events) in [&mut shore.haninge, &mut shore.huddinge].into_iter().zip(&events) {
        let learned = member.learned().unwrap();
        assert!(learned.iter().all(|(_, learned)| !matches!(learned, Learned::Refused(_))), "{learned:?}");
        assert_eq!(learned.iter().map(|(event, _)| *event).collect::<BTreeSet<_>>(), *events, "seed {seed}");
        let records = member.replica.records().unwrap();
        let all = events.iter().map(ToString::to_string).chain(salems.clone());
        for event in all {
            let found = records.iter().filter(|record| record.event_id.to_string() == event).count();
            assert_eq!(found, 1, "seed {seed}: {event}");
        }
        assert_eq!(check::lost_writes(&records, &member.replica.ledger.state), [], "seed {seed}");
    }
    shore.proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_network_does_each_edit_is_recorded_once_and_all_end_up_equal() {
    for seed in 1..=3 {
        weather_a_storm(seed).await;
    }
}
