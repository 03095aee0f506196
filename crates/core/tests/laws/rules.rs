//! What the rules decline, and what they let pass.

use radslag_core::command::{Draft, expectations};
use radslag_core::event::{Change, NewValue};
use radslag_core::field::FieldKey;
use radslag_core::id::EntityId;
use radslag_core::judge::MAX_SIDES;
use radslag_core::rejection::Rejection;
use radslag_core::value::Slot;

use super::town::{HANINGE, HUDDINGE, NACKA, Town, dated, text};

const TITLE: FieldKey = FieldKey::Title;
const COMMENT: FieldKey = FieldKey::Comment;

#[test]
fn a_strict_edit_lands_only_if_the_sides_are_those_it_expects() {
    let mut town = Town::new();
    let activity = town.activity();
    let mut draft = text(activity, COMMENT, "Strängt");
    draft.expect = vec![expectations(&town.state, town.today(), activity, COMMENT)];
    assert!(draft.expect[0].sides.is_empty());
    let (one, two) = (town.look(HUDDINGE), town.look(NACKA));
    let first = town.write_from(HUDDINGE, one, draft.clone()).unwrap();
    let stale = Rejection::Stale { entity: activity, field: COMMENT, current: vec![first] };
    assert_eq!(town.write_from(NACKA, two, draft.clone()), Err(stale));
    draft.expect = vec![expectations(&town.state, town.today(), activity, COMMENT)];
    assert_eq!(draft.expect[0].sides, [first]);
    let second = town.write(NACKA, draft).unwrap();
    assert_eq!(town.sides(activity, COMMENT), [second]);
}

#[test]
fn a_strict_edit_works_on_ones_own_unsent_edits() {
    let mut town = Town::new();
    let activity = town.activity();
    let offline = town.look(NACKA);
    let first = town.author(NACKA, offline, text(activity, COMMENT, "Ett"));
    let mut draft = text(activity, COMMENT, "Två");
    let sides = vec![first.event_id];
    draft.expect = vec![radslag_core::event::Expectation { entity: activity, field: COMMENT, sides }];
    let second = town.author(NACKA, town.devices[NACKA].view(), draft);
    town.land(&first, None).unwrap();
    town.land(&second, None).unwrap();
    assert_eq!(town.sides(activity, COMMENT), [second.event_id]);
}

#[test]
fn a_sixty_fifth_side_is_one_too_many() {
    let mut town = Town::new();
    let activity = town.activity();
    let form = town.look(NACKA);
    for n in 0..MAX_SIDES {
        town.write_from(NACKA, form, text(activity, COMMENT, &n.to_string())).unwrap();
    }
    assert_eq!(town.sides(activity, COMMENT).len(), MAX_SIDES);
    let verdict = town.write_from(NACKA, form, text(activity, COMMENT, "En till"));
    let many = Rejection::TooManySides { entity: activity, field: COMMENT, limit: MAX_SIDES };
    assert_eq!(verdict, Err(many));
    // Who has seen them all makes them one.
    let settled = town.write(HANINGE, text(activity, COMMENT, "Nu så")).unwrap();
    assert_eq!(town.sides(activity, COMMENT), [settled]);
}

#[test]
fn the_same_file_is_imported_once() {
    let mut town = Town::new();
    let import = |digest: u8| {
        let imported = Draft::new(Change::SourceImported { dialect: "tsv/1".to_owned() });
        imported.with_value(Slot::FILE_DIGEST, vec![digest; 32]).with_value(Slot::FILE_LAYOUT, vec![0])
    };
    let first = town.write(HUDDINGE, import(1)).unwrap();
    let verdict = town.write(NACKA, import(1));
    assert_eq!(verdict, Err(Rejection::AlreadyImported { import: first }));
    town.write(NACKA, import(2)).unwrap();
    assert_eq!(town.state.imports().len(), 2);
}

#[test]
fn everything_stands_in_its_own_sort_of_parent() {
    let mut town = Town::new();
    let (area, subgoal, activity) = (town.areas[0], town.subgoals[0], town.activity());
    let entity = town.fresh();
    let order_key = "i".to_owned();
    for parent in [activity, subgoal, EntityId::from(town.state.program_id())] {
        let added = Change::SubgoalAdded {
            subgoal: entity,
            area: parent,
            order_key: order_key.clone(),
            source: None,
        };
        let verdict = town.write(HUDDINGE, Draft::new(added).with_text(Slot::TITLE, "Mål"));
        assert_eq!(verdict, Err(Rejection::ParentUnfit { entity, parent }));
    }
    for (entity, parent) in [(activity, area), (subgoal, subgoal), (area, area)] {
        let placed = Change::Placed { entity, parent, order_key: order_key.clone() };
        assert_eq!(town.write(HUDDINGE, Draft::new(placed)), Err(Rejection::ParentUnfit { entity, parent }));
    }
    let placed = Change::Placed { entity: area, parent: town.state.program_id().into(), order_key };
    town.write(HUDDINGE, Draft::new(placed)).unwrap();
}

#[test]
fn what_is_not_there_or_has_no_such_field_cannot_be_changed() {
    let mut town = Town::new();
    let (activity, missing) = (town.activity(), town.fresh());
    let verdict = town.write(HUDDINGE, text(missing, TITLE, "Vad?"));
    assert!(matches!(verdict, Err(Rejection::EntityMissing { entity, .. }) if entity == missing));
    let verdict = town.write(HUDDINGE, text(activity, FieldKey::Name, "Vem?"));
    assert_eq!(verdict, Err(Rejection::FieldUnfit { entity: activity, field: FieldKey::Name }));
    let lead = |party| {
        let value = NewValue::Party(party);
        Draft::new(Change::FieldRevised { entity: activity, field: FieldKey::Lead, value })
    };
    assert!(matches!(town.write(HUDDINGE, lead(activity)), Err(Rejection::EntityMissing { .. })));
    let area = town.areas[0];
    let again = Change::AreaAdded { area, order_key: "i".to_owned(), source: None };
    assert_eq!(town.write(HUDDINGE, Draft::new(again)), Err(Rejection::EntityExists { entity: area }));
}

#[test]
fn membership_takes_no_effective_date() {
    let mut town = Town::new();
    let admitted = Change::OrganisationAdmitted { org_id: "tyreso".parse().unwrap(), party: None };
    let verdict = town.write(HUDDINGE, dated(Draft::new(admitted), town.today()));
    assert!(matches!(verdict, Err(Rejection::EffectiveDateUnfit { .. })));
}

#[test]
fn nobody_writes_for_another_and_nobody_pushes_an_epoch() {
    let mut town = Town::new();
    let base = town.look(NACKA);
    let mut body = town.author(NACKA, base, text(town.activity(), TITLE, "Som Huddinge"));
    body.actor_id = town.devices[HUDDINGE].member;
    assert!(matches!(town.land(&body, None), Err(Rejection::Denied { .. })));
    let epoch_id = radslag_core::id::EpochId::from_slice(&[8; 16]).unwrap();
    let opened = Change::EpochOpened { epoch_id, cut_position: base.position, cut_root: Default::default() };
    assert!(matches!(town.write(HUDDINGE, Draft::new(opened)), Err(Rejection::Denied { .. })));
    assert!(matches!(
        town.write(HUDDINGE, Draft::new(Change::Unknown)),
        Err(Rejection::KindNotInForce { .. })
    ));
    assert!(town.state.epochs().is_empty());
}

#[test]
fn a_group_lands_whole_and_its_members_build_on_each_other() {
    let mut town = Town::new();
    let (area, subgoal) = (town.fresh(), town.fresh());
    let base = town.look(HUDDINGE);
    let order_key = "i".to_owned();
    let inner = Change::SubgoalAdded { subgoal, area, order_key: order_key.clone(), source: None };
    let inner = Draft::new(inner).with_text(Slot::TITLE, "Mål");
    let alone = town.author(HUDDINGE, base, inner.clone());
    assert!(matches!(town.land(&alone, None), Err(Rejection::EntityMissing { .. })));
    let outer =
        Draft::new(Change::AreaAdded { area, order_key, source: None }).with_text(Slot::TITLE, "Område");
    let members = [outer, inner].map(|draft| town.author(HUDDINGE, base, draft));
    town.land_group(&members).unwrap();
    assert!(town.state.lives(area, town.today()) && town.state.lives(subgoal, town.today()));
}

#[test]
fn a_group_with_one_bad_member_changes_nothing() {
    let mut town = Town::new();
    let base = town.look(HUDDINGE);
    let before = town.state.clone();
    let missing = town.fresh();
    let drafts = [text(town.activity(), TITLE, "Ett"), text(missing, TITLE, "Två")];
    let members = drafts.map(|draft| town.author(HUDDINGE, base, draft));
    assert!(matches!(town.land_group(&members), Err(Rejection::EntityMissing { .. })));
    assert_eq!(town.state.hash(), before.hash());
    assert_eq!(town.state.head().get(), before.head().get() + 2);
    assert!(town.log.iter().rev().take(2).all(|record| record.body().is_none()));
}
