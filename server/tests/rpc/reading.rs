//! Programmes, history, blame, differences and the log, at the head and as of a point.

use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, ProgramId};
use radslag_engine::clock::{IdSource as _, SystemIds};
use radslag_proto::api::v1 as api;
use radslag_proto::event::v1::Field;
use radslag_proto::status::Reason;
use tonic::Code;

use crate::harness::{Town, at, in_memory, reason};

#[tokio::test]
async fn a_programme_is_listed_and_reads_as_it_stands_and_as_it_stood() {
    let (running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let event = town.device.retitle(town.activity, "Lunchmöte");
    let answer = client.push(town.device.sign(&[event])).await;
    assert_eq!(answer.head.unwrap().position, 7);

    let list = client.programs.list_programs(api::ListProgramsRequest::default()).await.unwrap().into_inner();
    assert_eq!(list.programs.len(), 1);
    let summary = &list.programs[0];
    assert_eq!((summary.title.as_str(), summary.position), ("Södertörn 2019", 7));
    assert_eq!(summary.program_id, town.program.to_string());
    assert_eq!(list.next_page_token, "");

    let title = |answer: &api::GetProgramResponse| {
        let program = answer.program.as_ref().unwrap();
        program.areas[0].subgoals[0].activities[0].title.clone()
    };
    let now = client.get(town.program, None).await;
    let then = client.get(town.program, at(6)).await;
    assert_eq!((title(&now), title(&then)), ("Lunchmöte".to_owned(), "Frukostmöte".to_owned()));
    assert_eq!((now.basis.as_ref().unwrap().position, then.basis.unwrap().position), (7, 6));
    let program = now.program.unwrap();
    assert_eq!(program.areas[0].goal.as_deref(), Some("Fler företag"));
    let cost = program.cost.unwrap();
    assert_eq!((cost.low_ore, cost.high_ore, cost.missing, cost.activities), (5_000_000, 5_000_000, 0, 1));
    assert_eq!(program.state_hash.len(), 64);
    let at_head = client.get(town.program, at(7)).await.program.unwrap();
    assert_eq!(at_head.state_hash, program.state_hash, "read from the state and folded anew");

    let nothing = client.get(town.program, at(0)).await;
    assert_eq!(nothing.basis.unwrap().effective_on, "");
    assert!(nothing.program.unwrap().areas.is_empty());
    running.shutdown().await;
}

#[tokio::test]
async fn instants_and_days_find_their_positions() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let event = town.device.retitle(town.activity, "Lunchmöte");
    client.push(town.device.sign(&[event])).await;
    let recorded = |recorded| Some(api::AsOf { recorded: Some(recorded), effective_on: String::new() });
    let log = client.audit.list_log(log_request(town.program, 0, "")).await.unwrap().into_inner();
    let sixth = log.lines[5].recorded_at;
    let answer = client.get(town.program, recorded(api::as_of::Recorded::Instant(sixth.unwrap()))).await;
    assert_eq!(answer.basis.unwrap().position, 6);
    for (day, position) in [("2001-01-01", 0), ("2199-01-01", 7)] {
        let answer =
            client.get(town.program, recorded(api::as_of::Recorded::LocalDate(day.to_owned()))).await;
        assert_eq!(answer.basis.unwrap().position, position, "{day}");
    }
    let before_it_applied = Some(api::AsOf { recorded: None, effective_on: "2001-01-01".to_owned() });
    let answer = client.get(town.program, before_it_applied).await;
    let basis = answer.basis.unwrap();
    assert_eq!((basis.position, basis.effective_on.as_str()), (7, "2001-01-01"));
}

#[tokio::test]
async fn two_edits_that_did_not_see_each_other_are_a_conflict_with_both_sides() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let mut neighbour = town.neighbour(&mut client).await;
    town.device.base = neighbour.base;
    let ours = town.device.revise(town.activity, FieldKey::Cost, "6000000 SEK\n60 000 kr");
    let theirs = neighbour.revise(town.activity, FieldKey::Cost, "4000000 SEK\n40 000 kr");
    client.push(town.device.sign(std::slice::from_ref(&ours))).await;
    let answer = client.push(neighbour.sign(std::slice::from_ref(&theirs))).await;
    let receipt = crate::harness::accepted(&answer.answers[0]).unwrap();
    assert_eq!(receipt.landing(), api::Landing::OpenedConflict);

    let program = client.get(town.program, None).await.program.unwrap();
    let conflict = &program.conflicts[0];
    assert_eq!((conflict.field(), conflict.weight()), (Field::Cost, api::Weight::High));
    assert_eq!(conflict.title, "Frukostmöte");
    let sides: Vec<(String, String)> = conflict
        .sides
        .iter()
        .map(|side| (side.event_id.clone(), side.author.as_ref().unwrap().member.clone()))
        .collect();
    let expected = [(ours.id.to_string(), "Anna Be".to_owned()), (theirs.id.to_string(), "Håkan".to_owned())];
    assert_eq!(sides, expected);
    let cost = program.cost.unwrap();
    assert_eq!((cost.low_ore, cost.high_ore), (4_000_000, 6_000_000));
    let activity = &program.areas[0].subgoals[0].activities[0];
    assert_eq!(activity.conflicting_fields, [i32::from(Field::Cost)]);
}

fn history_request(program: ProgramId, entity: EntityId, size: u32, token: &str) -> api::ListHistoryRequest {
    api::ListHistoryRequest {
        program_id: program.to_string(),
        entity_id: entity.to_string(),
        page_size: size,
        page_token: token.to_owned(),
        as_of: None,
    }
}

fn log_request(program: ProgramId, size: u32, token: &str) -> api::ListLogRequest {
    let (program_id, page_token) = (program.to_string(), token.to_owned());
    api::ListLogRequest { program_id, page_size: size, page_token, as_of: None }
}

#[tokio::test]
async fn all_pages_of_a_history_are_one_answer_whatever_lands_meanwhile() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    for title in ["a", "b", "c"] {
        let event = town.device.retitle(town.activity, title);
        client.push(town.device.sign(&[event])).await;
    }
    let whole = client.audit.list_history(history_request(town.program, town.activity, 0, "")).await;
    let whole = whole.unwrap().into_inner();
    assert_eq!(whole.next_page_token, "");
    let mut token = String::new();
    let mut changes = Vec::new();
    loop {
        let request = history_request(town.program, town.activity, 2, &token);
        let page = client.audit.list_history(request).await.unwrap().into_inner();
        assert!(page.changes.len() <= 2);
        assert_eq!(page.basis, whole.basis);
        changes.extend(page.changes);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        let event = town.device.retitle(town.activity, "later");
        client.push(town.device.sign(&[event])).await;
    }
    assert_eq!(changes, whole.changes);

    let added = &changes[0];
    assert_eq!((added.kind.as_str(), added.position), ("activity_added", 6));
    assert_eq!((added.reason.as_str(), added.decision.as_str()), ("budget 2019", "KS-2019/123"));
    let last = changes.last().unwrap();
    let text = |value: &Option<api::FieldValue>| match value.as_ref().unwrap().value.as_ref().unwrap() {
        api::field_value::Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((text(&last.before), text(&last.after)), ("b".to_owned(), "c".to_owned()));
    assert_eq!(last.author.as_ref().unwrap().member, "Anna Be");
    assert!(!last.conflict_after);
}

#[tokio::test]
async fn a_page_token_is_good_for_its_own_question_only() {
    let (_running, mut client) = in_memory().await;
    let town = Town::begin(&mut client).await;
    let other = Town::begin(&mut client).await;
    let page = client.audit.list_log(log_request(town.program, 2, "")).await.unwrap().into_inner();
    let token = page.next_page_token;
    let next = client.audit.list_log(log_request(town.program, 2, &token)).await.unwrap().into_inner();
    assert_eq!(next.lines.iter().map(|line| line.position).collect::<Vec<_>>(), [3, 4]);

    let statuses = [
        client.audit.list_log(log_request(other.program, 2, &token)).await.unwrap_err(),
        client.audit.list_log(log_request(town.program, 2, "made up")).await.unwrap_err(),
        client.audit.list_history(history_request(town.program, town.activity, 2, &token)).await.unwrap_err(),
        client
            .programs
            .list_programs(api::ListProgramsRequest { page_size: 1, page_token: token.clone() })
            .await
            .unwrap_err(),
    ];
    for status in statuses {
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(reason(&status).reason, Reason::InvalidPageToken);
        assert_eq!(reason(&status).violations[0].0, "page_token");
    }
}

#[tokio::test]
async fn programmes_come_in_pages_by_title_and_id() {
    let (_running, mut client) = in_memory().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(Town::begin(&mut client).await.program.to_string());
    }
    ids.sort_unstable();
    let mut token = String::new();
    for (index, id) in ids.iter().enumerate() {
        let request = api::ListProgramsRequest { page_size: 1, page_token: token };
        let page = client.programs.list_programs(request).await.unwrap().into_inner();
        assert_eq!(page.programs.iter().map(|found| &found.program_id).collect::<Vec<_>>(), [id]);
        token = page.next_page_token;
        assert_eq!(token.is_empty(), index == 2);
    }
}

#[tokio::test]
async fn blame_names_the_last_author_of_every_field() {
    let (_running, mut client) = in_memory().await;
    let town = Town::begin(&mut client).await;
    let mut neighbour = town.neighbour(&mut client).await;
    let event = neighbour.retitle(town.activity, "Lunchmöte");
    client.push(neighbour.sign(std::slice::from_ref(&event))).await;
    let request =
        api::GetBlameRequest { program_id: town.program.to_string(), ..api::GetBlameRequest::default() };
    let lines = client.audit.get_blame(request).await.unwrap().into_inner().lines;
    let line = |entity: EntityId, field: Field| {
        let of = |line: &&api::BlameLine| line.entity_id == entity.to_string() && line.field() == field;
        lines.iter().find(of).unwrap().side.clone().unwrap()
    };
    assert_eq!(line(town.activity, Field::Title).event_id, event.id.to_string());
    assert_eq!(line(town.activity, Field::Title).author.unwrap().org, "nynashamn");
    assert_eq!(line(town.activity, Field::Cost).author.unwrap().org, "haninge");
    assert_eq!(lines[0].entity_id, town.program.to_string());
    assert_eq!(lines[1].entity_id, town.area.to_string());
}

#[tokio::test]
async fn a_diff_says_what_changed_between_two_points() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let event = town.device.retitle(town.activity, "Lunchmöte");
    client.push(town.device.sign(&[event])).await;
    let mut request = api::GetDiffRequest {
        program_id: town.program.to_string(),
        from: at(6),
        ..api::GetDiffRequest::default()
    };
    let diff = client.audit.get_diff(request.clone()).await.unwrap().into_inner();
    assert_eq!(diff.changes.len(), 1);
    let change = &diff.changes[0];
    assert_eq!((change.sort(), change.field()), (api::ChangeSort::Revised, Field::Title));
    assert_eq!(change.entity_id, town.activity.to_string());
    assert_eq!((diff.from.unwrap().position, diff.to.unwrap().position), (6, 7));

    (request.from, request.to) = (at(0), at(6));
    let diff = client.audit.get_diff(request.clone()).await.unwrap().into_inner();
    let sorts: Vec<_> = diff.changes.iter().map(api::EntityChange::sort).collect();
    assert_eq!(sorts.iter().filter(|sort| **sort == api::ChangeSort::Added).count(), 3);
    let titled = diff.changes.iter().find(|change| change.sort() == api::ChangeSort::Revised).unwrap();
    assert_eq!(titled.entity_id, town.program.to_string(), "the programme's own title has its id");

    request.from = None;
    let status = client.audit.get_diff(request).await.unwrap_err();
    assert_eq!(reason(&status).violations[0].0, "from");
}

#[tokio::test]
async fn the_log_names_who_what_and_why() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    // Another activity under the id of the first: the rules decline it, and the log says so.
    let again =
        radslag_core::event::Change::AreaAdded { area: town.area, order_key: "n".to_owned(), source: None };
    let event = town.device.write(again, &[(radslag_core::value::Slot::TITLE, "Igen")]);
    let answer = client.push(town.device.sign(&[event])).await;
    let Some(api::answer::Answer::Rejected(rejected)) = &answer.answers[0].answer else {
        panic!("{answer:?}")
    };
    assert_eq!((rejected.reason.as_str(), rejected.position), ("ENTITY_EXISTS", 7));

    let log = client.audit.list_log(log_request(town.program, 0, "")).await.unwrap().into_inner();
    assert_eq!(log.lines.iter().map(|line| line.position).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    let added = &log.lines[5];
    assert_eq!((added.kind.as_str(), added.title.as_str()), ("activity_added", "Frukostmöte"));
    assert_eq!(added.entity_ids, [town.activity.to_string()]);
    assert_eq!(added.reason, "budget 2019");
    assert_eq!(added.author.as_ref().unwrap().member, "Anna Be");
    let declined = &log.lines[6];
    assert!(declined.rejected && declined.kind.is_empty() && declined.authored_at.is_none());
    assert_eq!(declined.rejection, "ENTITY_EXISTS");
    let author = declined.author.as_ref().unwrap();
    assert_eq!((author.member_id.as_str(), &author.device_id), ("", &town.device.id.to_string()));
}

#[tokio::test]
async fn a_question_that_cannot_be_answered_says_why() {
    let (_running, mut client) = in_memory().await;
    let town = Town::begin(&mut client).await;
    let stranger = ProgramId::new(SystemIds.random_id());

    let request =
        |program_id: &str, as_of| api::GetProgramRequest { program_id: program_id.to_owned(), as_of };
    let status = client.programs.get_program(request(&stranger.to_string(), None)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).reason), (Code::NotFound, Reason::ProgramNotFound));
    assert_eq!(reason(&status).resource, Some(("program".to_owned(), stranger.to_string())));

    let status = client.programs.get_program(request(&town.program.to_string(), at(7))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).reason), (Code::OutOfRange, Reason::PositionAhead));
    assert_eq!(reason(&status).metadata["head"], "6");

    let wrong = api::AsOf {
        recorded: Some(api::as_of::Recorded::LocalDate("10 april".to_owned())),
        effective_on: "2019-13-01".to_owned(),
    };
    let status = client.programs.get_program(request("abc", Some(wrong))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).reason), (Code::InvalidArgument, Reason::InvalidRequest));
    let named: Vec<String> = reason(&status).violations.into_iter().map(|(path, _)| path).collect();
    assert_eq!(named, ["program_id", "as_of.local_date", "as_of.effective_on"]);

    let status =
        client.audit.list_history(history_request(town.program, crate::harness::entity(), 0, "")).await;
    assert_eq!(reason(&status.unwrap_err()).reason, Reason::EntityNotFound);
}
