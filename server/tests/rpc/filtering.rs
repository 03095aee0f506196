//! Following a part of a programme: an area, an organisation. What passes, how far the stream has looked, and going on from there.

use std::sync::Arc;

use radslag_core::digest::Digest;
use radslag_core::event::{Change, NewValue};
use radslag_core::field::FieldKey;
use radslag_core::id::EntityId;
use radslag_core::value::Slot;
use radslag_engine::clock::SystemClock;
use radslag_log::MemoryLog;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::convert::bundle::decode_landed_bundle;
use radslag_proto::status::{ApiError, Reason};
use radslag_server::{Config, Running};
use radslag_trust::bundle::{BundleError, verify_bundle};
use radslag_trust::keys::Signature;

use crate::following::{asking, cursor};
use crate::harness::{Client, Device, Town, accepted, config, entity, in_memory, on, reason};

/// A town with a second area; its activity and sub-goal there, positions 7 to 9.
struct Place {
    _running: Running,
    client: Client,
    town: Town,
    other: EntityId,
    subgoal: EntityId,
    activity: EntityId,
}

impl Place {
    async fn new() -> Self {
        Self::on(config()).await
    }

    async fn on(config: Config) -> Self {
        let (running, mut client) = on(config, Arc::new(MemoryLog::new()), Arc::new(SystemClock)).await;
        let mut town = Town::begin(&mut client).await;
        let (other, subgoal, activity) = (entity(), entity(), entity());
        let key = || "n".to_owned();
        let area = Change::AreaAdded { area: other, order_key: key(), source: None };
        let goal = Change::SubgoalAdded { subgoal, area: other, order_key: key(), source: None };
        let add = Change::ActivityAdded {
            activity,
            subgoal,
            order_key: key(),
            responsible: Vec::new(),
            lead: None,
            source: None,
        };
        let events = [area, goal, add].map(|change| town.device.write(change, &[(Slot::TITLE, "Bussar")]));
        assert_eq!(client.push(town.device.sign(&events)).await.head.unwrap().position, 9);
        town.device.base = 9;
        Self { _running: running, client, town, other, subgoal, activity }
    }

    fn here(&self) -> api::Filter {
        api::Filter { area_id: self.town.area.to_string(), org: String::new() }
    }

    fn there(&self) -> api::Filter {
        api::Filter { area_id: self.other.to_string(), org: String::new() }
    }

    /// One event of the town's device; where it landed.
    async fn land(&mut self, change: Change, texts: &[(Slot, &str)]) -> u64 {
        let device = &mut self.town.device;
        land(&mut self.client, device, change, texts).await
    }

    async fn comment(&mut self, activity: EntityId) -> u64 {
        let change =
            Change::FieldRevised { entity: activity, field: FieldKey::Comment, value: NewValue::Sealed };
        self.land(change, &[(Slot::COMMENT, "i maj")]).await
    }

    fn asking(&self, filter: &api::Filter, after: u64) -> api::SubscribeRequest {
        api::SubscribeRequest {
            filter: Some(filter.clone()),
            ..asking(self.town.program, cursor(after), true)
        }
    }

    /// What passes after a position, up to the end of the log; every frame says how far it looked.
    async fn passing(&mut self, filter: &api::Filter, after: u64) -> Vec<u64> {
        let request = self.asking(filter, after);
        let mut stream = self.client.sync.subscribe(request).await.unwrap().into_inner();
        let (mut seen, mut covered) = (Vec::new(), after);
        loop {
            let message = stream.message().await.unwrap().expect("the end is told before it comes");
            let covered_to = message.covered_to.expect("a filtered frame says how far it looked").position;
            assert!(covered_to >= covered);
            covered = covered_to;
            match message.frame.unwrap() {
                Frame::Events(events) => seen.extend(positions(&events)),
                Frame::CaughtUp(end) => {
                    assert_eq!(end.head.unwrap().position, covered);
                    return seen;
                }
                frame => panic!("{frame:?}"),
            }
            assert!(
                seen.last().is_some_and(|last| *last <= covered),
                "it sends nothing that it has not looked at"
            );
        }
    }

    async fn refused(&mut self, filter: api::Filter) -> ApiError {
        let request = self.asking(&filter, 0);
        reason(&self.client.sync.subscribe(request).await.unwrap_err())
    }
}

async fn land(client: &mut Client, device: &mut Device, change: Change, texts: &[(Slot, &str)]) -> u64 {
    let event = device.write(change, texts);
    let answer = client.push(device.sign(&[event])).await;
    let at = accepted(&answer.answers[0]).unwrap_or_else(|| panic!("{answer:?}")).position;
    device.base = at;
    at
}

fn positions(events: &api::Events) -> Vec<u64> {
    events.records.iter().map(|frame| frame.record.as_ref().unwrap().position).collect()
}

#[tokio::test]
async fn a_reader_of_an_area_is_shown_it_and_what_stands_below_it() {
    let mut place = Place::new().await;
    let (here, there) = (place.here(), place.there());
    let first = place.comment(place.town.activity).await;
    let second = place.comment(place.activity).await;
    assert_eq!(place.passing(&here, 0).await, [4, 5, 6, first]);
    assert_eq!(place.passing(&there, 0).await, [7, 8, 9, second]);
    // Nothing passes, and the end says how far the stream has looked.
    assert_eq!(place.passing(&here, first).await, [0; 0]);
}

#[tokio::test]
async fn a_reader_who_goes_on_anywhere_has_no_gap_and_no_repeat_whatever_moved_meanwhile() {
    let mut place = Place::new().await;
    let (here, there) = (place.here(), place.there());
    for _ in 0..2 {
        place.comment(place.activity).await;
        place.comment(place.town.activity).await;
    }
    let moved =
        Change::Placed { entity: place.town.activity, parent: place.subgoal, order_key: "p".to_owned() };
    let moved = place.land(moved, &[]).await;
    let after = place.comment(place.town.activity).await;
    for (filter, last) in [(here, moved), (there, after)] {
        let all = place.passing(&filter, 0).await;
        assert_eq!(*all.last().unwrap(), last);
        assert!(all.contains(&moved), "a move is shown in both areas");
        for cut in 1..=after {
            let rest: Vec<u64> = all.iter().copied().filter(|position| *position > cut).collect();
            assert_eq!(place.passing(&filter, cut).await, rest, "after {cut}");
        }
    }
}

#[tokio::test]
async fn what_is_filtered_away_live_is_covered_by_a_heartbeat() {
    let mut place = Place::on(Config { heartbeat_ms: 20, ..config() }).await;
    let request = api::SubscribeRequest { until_caught_up: false, ..place.asking(&place.here(), 9) };
    let mut stream = place.client.sync.subscribe(request).await.unwrap().into_inner();
    let message = stream.message().await.unwrap().unwrap();
    assert!(matches!(message.frame, Some(Frame::CaughtUp(_))) && message.covered_to == cursor(9));
    let away = place.comment(place.activity).await;
    loop {
        let message = stream.message().await.unwrap().unwrap();
        let Some(Frame::Heartbeat(_)) = message.frame else { panic!("{message:?}") };
        if message.covered_to == cursor(away) {
            break;
        }
        assert_eq!(message.covered_to, cursor(9));
    }
    let shown = place.comment(place.town.activity).await;
    loop {
        let message = stream.message().await.unwrap().unwrap();
        match message.frame.unwrap() {
            Frame::Heartbeat(_) => assert_eq!(message.covered_to, cursor(away)),
            Frame::Events(events) => {
                assert_eq!((positions(&events), message.covered_to), (vec![shown], cursor(shown)));
                break;
            }
            frame => panic!("{frame:?}"),
        }
    }
}

#[tokio::test]
async fn a_reader_of_an_organisation_is_shown_what_its_people_wrote() {
    let mut place = Place::new().await;
    let mut neighbour = place.town.neighbour(&mut place.client).await;
    let change = |entity| Change::FieldRevised { entity, field: FieldKey::Title, value: NewValue::Sealed };
    let (here, there) = (place.town.activity, place.activity);
    let first = land(&mut place.client, &mut neighbour, change(here), &[(Slot::TITLE, "Lunchmöte")]).await;
    place.town.device.base = first;
    place.comment(here).await;
    let second = land(&mut place.client, &mut neighbour, change(there), &[(Slot::TITLE, "Tåg")]).await;
    // What was declined is theirs as well, and about no area.
    let gone = neighbour.write(change(entity()), &[(Slot::TITLE, "Inget")]);
    let answer = place.client.push(neighbour.sign(&[gone])).await;
    let Some(api::answer::Answer::Rejected(rejected)) = &answer.answers[0].answer else {
        panic!("{answer:?}")
    };
    let theirs = |area_id: String| api::Filter { area_id, org: "nynashamn".to_owned() };
    assert_eq!(place.passing(&theirs(String::new()), 12).await, [first, second, rejected.position]);
    assert_eq!(place.passing(&theirs(place.other.to_string()), 0).await, [second]);
}

#[tokio::test]
async fn the_signature_of_what_passes_can_be_checked_and_the_rest_is_named_by_its_hash() {
    let mut place = Place::new().await;
    let request = place.asking(&place.here(), 0);
    let mut stream = place.client.sync.subscribe(request).await.unwrap().into_inner();
    let Some(Frame::Events(events)) = stream.message().await.unwrap().unwrap().frame else { panic!() };
    assert_eq!(positions(&events), [4, 5, 6]);
    let [bundle] = events.bundles.as_slice() else { panic!("{:?}", events.bundles) };
    let bundle = decode_landed_bundle(bundle).unwrap();
    let absent: Vec<u32> = bundle.absent.iter().map(|(index, _)| *index).collect();
    assert_eq!((bundle.size, absent), (6, vec![0, 1, 2]));
    let mut hashes: Vec<Digest> = bundle.absent.iter().map(|(_, hash)| *hash).collect();
    let bodies = events.records.iter().map(|frame| Digest::of(&frame.record.as_ref().unwrap().body));
    hashes.extend(bodies);
    let (town, signature) = (&place.town, Signature::new(bundle.signature));
    let check = |hashes: &[Digest]| {
        verify_bundle(&town.device.key.public(), town.program, bundle.device, hashes, &signature)
    };
    assert_eq!(check(&hashes), Ok(()));
    hashes[0] = Digest::of(b"another");
    assert!(matches!(check(&hashes), Err(BundleError::Forged(_))));
}

#[tokio::test]
async fn a_filter_that_names_what_is_not_there_is_an_error_that_says_where() {
    let mut place = Place::new().await;
    let nowhere = entity().to_string();
    let error = place.refused(api::Filter { area_id: nowhere.clone(), org: String::new() }).await;
    assert_eq!(error.reason, Reason::EntityNotFound);
    assert!(error.to_string().contains(&nowhere), "{error}");
    for (area_id, org, paths) in [
        (String::new(), "", &["filter"][..]),
        (place.activity.to_string(), "", &["filter.area_id"]),
        ("abc".to_owned(), "Å", &["filter.area_id", "filter.org"]),
        (String::new(), "nacka", &["filter.org"]),
    ] {
        let error = place.refused(api::Filter { area_id, org: org.to_owned() }).await;
        let named: Vec<&str> = error.violations.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!((error.reason, named.as_slice()), (Reason::InvalidRequest, paths));
    }
}

#[tokio::test]
async fn a_filtered_cursor_of_another_log_must_be_fetched_anew_too() {
    let (_running, mut client) = in_memory().await;
    let town = Town::begin(&mut client).await;
    let filter = Some(api::Filter { area_id: String::new(), org: "haninge".to_owned() });
    let request = api::SubscribeRequest { filter, ..asking(town.program, cursor(7), true) };
    let mut stream = client.sync.subscribe(request).await.unwrap().into_inner();
    let Some(Frame::MustRefetch(refetch)) = stream.message().await.unwrap().unwrap().frame else { panic!() };
    assert_eq!(refetch.reason, "POSITION_AHEAD");
}
