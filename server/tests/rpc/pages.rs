//! Reads of the audit at points: as of, for a day, on a basis, and in pages that stay where the first was.

use radslag_core::event::{Change, NewValue};
use radslag_core::field::FieldKey;
use radslag_core::value::Slot;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::as_of::Recorded;
use radslag_proto::event::v1::Field;
use radslag_proto::status::Reason;

use crate::harness::{Client, Town, at, in_memory, reason};

/// Haninge's town with a cost entered late, a later title, and something to write afterwards.
async fn town() -> (radslag_server::Running, Client, Town) {
    let (running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let entity = town.activity;
    let change = Change::FieldRevised { entity, field: FieldKey::Cost, value: NewValue::Sealed };
    let late = Some("2001-01-01".parse().unwrap());
    let texts = [(Slot::COST, "1000 SEK\n10 kr"), (Slot::REASON, "sent"), (Slot::DECISION, "KS-2001/1")];
    let late = town.device.write_dated(change, &texts, late);
    let title = town.device.retitle(town.activity, "Lunchmöte");
    client.push(town.device.sign(&[late, title])).await;
    town.device.base = 8;
    (running, client, town)
}

async fn write_on(client: &mut Client, town: &mut Town) {
    let title = town.device.retitle(town.activity, "Kvällsmöte");
    client.push(town.device.sign(&[title])).await;
}

fn raw(value: Option<&api::FieldValue>) -> Option<String> {
    match value?.value.as_ref()? {
        api::field_value::Value::Money(money) => Some(money.raw.clone()),
        api::field_value::Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn a_history_is_told_up_to_a_point_and_for_a_day() {
    let (_running, mut client, town) = town().await;
    let request = |as_of| api::ListHistoryRequest {
        program_id: town.program.to_string(),
        entity_id: town.activity.to_string(),
        as_of,
        ..api::ListHistoryRequest::default()
    };
    let whole = client.audit.list_history(request(None)).await.unwrap().into_inner();
    assert_eq!(whole.changes.last().unwrap().position, 8);
    let late = whole.changes.iter().find(|change| change.position == 7).unwrap();
    assert_eq!(raw(late.before.as_ref()), raw(late.after.as_ref()), "what was shown stayed");
    let until = client.audit.list_history(request(at(7))).await.unwrap().into_inner();
    assert_eq!((until.changes.last().unwrap().position, until.basis.unwrap().position), (7, 7));

    let for_a_day = Some(api::AsOf { recorded: None, effective_on: "2001-06-01".to_owned() });
    let that_day = client.audit.list_history(request(for_a_day)).await.unwrap().into_inner();
    assert_eq!(that_day.basis.unwrap().effective_on, "2001-06-01");
    let late = that_day.changes.iter().find(|change| change.position == 7).unwrap();
    assert_eq!((raw(late.before.as_ref()), raw(late.after.as_ref())), (None, Some("10 kr".to_owned())));
    let added = that_day.changes.iter().find(|change| change.position == 6).unwrap();
    assert_eq!(raw(added.after.as_ref()), None, "the activity itself came later");
}

#[tokio::test]
async fn a_difference_says_where_who_why_and_what_it_costs() {
    let (_running, mut client, town) = town().await;
    let day = |position, day: &str| {
        let recorded = Some(Recorded::Position(position));
        Some(api::AsOf { recorded, effective_on: day.to_owned() })
    };
    let request = api::GetDiffRequest {
        program_id: town.program.to_string(),
        from: day(0, "2199-01-01"),
        to: day(8, "2199-01-01"),
        ..api::GetDiffRequest::default()
    };
    let diff = client.audit.get_diff(request).await.unwrap().into_inner();
    let (before, after) = (diff.cost_before.unwrap(), diff.cost_after.unwrap());
    assert_eq!((before.low_ore, before.activities), (0, 0));
    assert_eq!((after.low_ore, after.activities, after.missing), (5_000_000, 1, 0));
    let activity = diff.changes.iter().find(|change| change.entity_id == town.activity.to_string()).unwrap();
    assert_eq!((activity.sort(), &activity.area_id), (api::ChangeSort::Added, &town.area.to_string()));
    assert!(!activity.parent_id.is_empty() && activity.parent_id != activity.area_id);
    let by = activity.by.as_ref().unwrap();
    assert_eq!((by.position, by.author.as_ref().unwrap().member.as_str()), (6, "Anna Be"));
    assert_eq!((activity.reason.as_str(), activity.decision.as_str()), ("budget 2019", "KS-2019/123"));
}

#[tokio::test]
async fn all_pages_of_blame_and_of_a_difference_are_one_answer_whatever_lands_meanwhile() {
    let (_running, mut client, mut town) = town().await;
    let program_id = town.program.to_string();
    let blame = api::GetBlameRequest { program_id: program_id.clone(), ..api::GetBlameRequest::default() };
    let diff = api::GetDiffRequest { program_id, from: at(2), ..api::GetDiffRequest::default() };
    let whole_blame = client.audit.get_blame(blame.clone()).await.unwrap().into_inner();
    let whole_diff = client.audit.get_diff(diff.clone()).await.unwrap().into_inner();
    assert_eq!((whole_blame.next_page_token.as_str(), whole_diff.next_page_token.as_str()), ("", ""));
    assert!(whole_blame.lines.len() > 8 && whole_diff.changes.len() > 2);

    let mut blame = api::GetBlameRequest { page_size: 3, ..blame };
    let mut diff = api::GetDiffRequest { page_size: 2, ..diff };
    let (mut lines, mut changes) = (Vec::new(), Vec::new());
    loop {
        let page = client.audit.get_blame(blame.clone()).await.unwrap().into_inner();
        assert!(page.lines.len() <= 3);
        let basis = page.basis.unwrap();
        assert_eq!(
            (basis.position, &basis.effective_on),
            (8, &whole_blame.basis.as_ref().unwrap().effective_on)
        );
        lines.extend(page.lines);
        blame.page_token = page.next_page_token;
        write_on(&mut client, &mut town).await;
        if blame.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(lines, whole_blame.lines);
    // The difference begins anew: what landed meanwhile is in its first page, and in all of them.
    let head = client.head(town.program).await;
    let whole_diff = client.audit.get_diff(api::GetDiffRequest { page_size: 0, ..diff.clone() }).await;
    let whole_diff = whole_diff.unwrap().into_inner();
    loop {
        let page = client.audit.get_diff(diff.clone()).await.unwrap().into_inner();
        assert_eq!((page.from.unwrap().position, page.to.unwrap().position), (2, head));
        assert_eq!(page.cost_after, whole_diff.cost_after);
        changes.extend(page.changes);
        diff.page_token = page.next_page_token;
        write_on(&mut client, &mut town).await;
        if diff.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(changes, whole_diff.changes);

    // A token belongs to its question, the points included.
    blame.page_token.clear();
    let first = client.audit.get_blame(blame.clone()).await.unwrap().into_inner();
    let other = api::GetBlameRequest { as_of: at(6), page_token: first.next_page_token, ..blame };
    let invalid = client.audit.get_blame(other).await.unwrap_err();
    assert_eq!(reason(&invalid).reason, Reason::InvalidPageToken);
}

#[tokio::test]
async fn every_read_takes_a_basis_and_answers_it_the_same_for_ever() {
    let (_running, mut client, mut town) = town().await;
    let basis = client.get(town.program, None).await.basis.unwrap();
    let on_it =
        Some(api::AsOf { recorded: Some(Recorded::Basis(basis.clone())), effective_on: String::new() });
    let program_id = town.program.to_string();
    let answers = async |client: &mut Client, entity: String| {
        let history = api::ListHistoryRequest {
            program_id: program_id.clone(),
            entity_id: entity,
            as_of: on_it.clone(),
            ..api::ListHistoryRequest::default()
        };
        let log = api::ListLogRequest {
            program_id: program_id.clone(),
            as_of: on_it.clone(),
            ..api::ListLogRequest::default()
        };
        let blame = api::GetBlameRequest {
            program_id: program_id.clone(),
            as_of: on_it.clone(),
            ..api::GetBlameRequest::default()
        };
        let diff = api::GetDiffRequest {
            program_id: program_id.clone(),
            from: at(5),
            to: on_it.clone(),
            ..api::GetDiffRequest::default()
        };
        (
            client.audit.list_history(history).await.unwrap().into_inner(),
            client.audit.list_log(log).await.unwrap().into_inner(),
            client.audit.get_blame(blame).await.unwrap().into_inner(),
            client.audit.get_diff(diff).await.unwrap().into_inner(),
        )
    };
    let before = answers(&mut client, town.activity.to_string()).await;
    let bases = [&before.0.basis, &before.1.basis, &before.2.basis, &before.3.to];
    let pinned = api::Basis { open: Vec::new(), ..basis };
    assert!(bases.iter().all(|basis| basis.as_ref() == Some(&pinned)), "{bases:?}");
    write_on(&mut client, &mut town).await;
    assert_eq!(answers(&mut client, town.activity.to_string()).await, before);
    let title = before.2.lines.iter().find(|line| line.field() == Field::Title && line.title == "Lunchmöte");
    assert!(title.is_some(), "as it was called then");
}
