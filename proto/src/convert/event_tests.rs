//! What a body may say, and what is said about one that does not.

use proptest::prelude::*;

use super::*;
use crate::convert::samples;
use crate::event::v1::event_body::Change as Wire;

/// The message of the `n`th sample.
fn message(n: usize) -> wire::EventBody {
    let body = samples::bodies().remove(n);
    let change = change::write(&body.change).unwrap();
    write_body(&body, change)
}

fn path_of(body: &wire::EventBody) -> String {
    read_body(body).expect_err("the body was spoiled").path
}

#[test]
fn every_kind_reads_back_as_it_was_written() {
    for body in samples::bodies() {
        let bytes = encode_body(&body).unwrap();
        assert_eq!(decode_body(&bytes), Ok(body));
    }
}

#[test]
fn there_is_a_sample_of_every_kind() {
    for (n, body) in samples::bodies().iter().take(18).enumerate() {
        let change = message(n).change.unwrap();
        assert_eq!(Some(crate::convert::name_of(&change)), body.change.kind());
        assert!(crate::convert::is_known_kind(&body.kind));
    }
}

#[test]
fn every_flaw_of_an_envelope_is_named_by_its_path() {
    type Spoil = fn(&mut wire::EventBody);
    fn base(body: &mut wire::EventBody) -> &mut wire::Base {
        body.base.as_mut().unwrap()
    }
    fn group(body: &mut wire::EventBody) -> &mut wire::Group {
        body.group.as_mut().unwrap()
    }
    let cases: Vec<(Spoil, &str)> = vec![
        (|b| b.event_id = vec![1; 15], "event_id"),
        (|b| b.event_id = vec![0; 16], "event_id"),
        (|b| b.program_id.clear(), "program_id"),
        (|b| b.program_id = vec![0; 16], "program_id"),
        (|b| b.actor_id = vec![1; 17], "actor_id"),
        (|b| b.org_id = "Haninge".to_owned(), "org_id"),
        (|b| b.org_id.clear(), "org_id"),
        (|b| b.device_id.clear(), "device_id"),
        (|b| b.device_seq = 0, "device_seq"),
        (|b| b.prev = vec![0; 31], "prev"),
        (|b| b.base = None, "base"),
        (|b| base(b).epoch.clear(), "base.epoch"),
        (|b| base(b).seq = 3, "base.seq"),
        (|b| b.effective_on = Some(-25_568), "effective_on"),
        (|b| b.effective_on = Some(84_006), "effective_on"),
        (|b| group(b).id.clear(), "group.id"),
        (|b| group(b).size = 1, "group.size"),
        (|b| group(b).size = 501, "group.size"),
        (|b| group(b).index = 2, "group.index"),
        (|b| b.expect = vec![b.expect[0].clone(); 65], "expect"),
        (|b| b.expect[1].entity_id.clear(), "expect[1].entity_id"),
        (|b| b.expect[1].field = None, "expect[1].field"),
        (|b| b.expect[1].field.as_mut().unwrap().field = 6, "expect[1].field.field"),
        (|b| b.expect[1].field.as_mut().unwrap().party_id.clear(), "expect[1].field.party_id"),
        (|b| b.expect[1].field.as_mut().unwrap().party_id = vec![0; 16], "expect[1].field.party_id"),
        (|b| b.expect[0].field.as_mut().unwrap().party_id = vec![1; 16], "expect[0].field.party_id"),
        (|b| b.expect[1].sides.swap(0, 1), "expect[1].sides[1]"),
        (|b| b.expect[1].sides[1] = b.expect[1].sides[0].clone(), "expect[1].sides[1]"),
        (|b| b.expect[1].sides[0] = vec![8; 3], "expect[1].sides[0]"),
        (|b| b.kind.clear(), "kind"),
        (|b| b.kind = "Activity added".to_owned(), "kind"),
        (|b| b.kind = "a".repeat(65), "kind"),
        (|b| b.kind = "placed".to_owned(), "kind"),
        (|b| b.kind = "budget_frozen".to_owned(), "kind"),
        (|b| b.change = None, "change"),
        (|b| b.schema_version = 0, "schema_version"),
        (|b| b.digests.swap(0, 1), "digests[1].slot"),
        (|b| b.digests[1] = b.digests[0].clone(), "digests[1].slot"),
        (|b| b.digests[0].slot = 0, "digests[0].slot"),
        (|b| b.digests[4].slot = 65_536, "digests[4].slot"),
        (|b| b.digests[2].digest.pop().map_or((), |_| ()), "digests[2].digest"),
        (|b| b.digests.clear(), "digests"),
        (|b| b.digests.remove(0).slot = 1, "digests"),
        (|b| b.digests[4].slot = 7, "digests[4].slot"),
    ];
    let good = message(6);
    assert!(read_body(&good).is_ok());
    for (n, (spoil, path)) in cases.into_iter().enumerate() {
        let mut body = good.clone();
        spoil(&mut body);
        assert_eq!(path_of(&body), path, "case {n}");
    }
}

macro_rules! spoil {
    ($n:expr, $kind:ident, $path:literal, $change:ident => $spoil:expr) => {{
        let mut body = message($n);
        match body.change.as_mut() {
            Some(Wire::$kind($change)) => {
                $spoil;
            }
            other => panic!("sample {} is {other:?}", $n),
        }
        assert_eq!(path_of(&body), $path, "{}", stringify!($spoil));
    }};
}

#[test]
fn every_flaw_of_who_takes_part_is_named_by_its_path() {
    spoil!(0, ProgramCreated, "program_created.log_key", m => m.log_key.clear());
    spoil!(0, ProgramCreated, "program_created.device_key", m => m.device_key.push(0));
    spoil!(0, ProgramCreated, "program_created.rules", m => m.rules = 0);
    spoil!(1, OrganisationAdmitted, "organisation_admitted.org_id", m => m.org_id = "a b".to_owned());
    spoil!(1, OrganisationAdmitted, "organisation_admitted.party_id", m => m.party_id = vec![0; 16]);
    spoil!(2, MemberAdmitted, "member_admitted.member_id", m => m.member_id.clear());
    spoil!(2, MemberAdmitted, "member_admitted.org_id", m => m.org_id = "a".repeat(41));
    spoil!(3, DeviceEnrolled, "device_enrolled.device_id", m => m.device_id = vec![9; 16]);
    spoil!(3, DeviceEnrolled, "device_enrolled.public_key", m => m.public_key.clear());
    spoil!(3, DeviceEnrolled, "device_enrolled.member_id", m => m.member_id.clear());
    spoil!(3, DeviceEnrolled, "device_enrolled.org_id", m => m.org_id.clear());
    spoil!(3, DeviceEnrolled, "device_enrolled.authority", m => m.authority = 0);
    spoil!(16, EpochOpened, "epoch_opened.epoch_id", m => m.epoch_id = vec![0; 16]);
    spoil!(16, EpochOpened, "epoch_opened.cut_root", m => m.cut_root.clear());
    spoil!(17, RulesAdopted, "rules_adopted.version", m => m.version = 0);
}

#[test]
fn every_flaw_of_an_addition_is_named_by_its_path() {
    spoil!(4, AreaAdded, "area_added.area_id", m => m.area_id.clear());
    spoil!(4, AreaAdded, "area_added.order_key", m => m.order_key.clear());
    spoil!(4, AreaAdded, "area_added.source.line", m => m.source.as_mut().unwrap().line = 0);
    spoil!(4, AreaAdded, "area_added.source.import_event_id", m => m.source = Some(wire::Source::default()));
    spoil!(5, SubgoalAdded, "subgoal_added.subgoal_id", m => m.subgoal_id.clear());
    spoil!(5, SubgoalAdded, "subgoal_added.area_id", m => m.area_id = vec![0; 16]);
    spoil!(5, SubgoalAdded, "subgoal_added.order_key", m => m.order_key = "a0".to_owned());
    spoil!(6, ActivityAdded, "activity_added.activity_id", m => m.activity_id.clear());
    spoil!(6, ActivityAdded, "activity_added.subgoal_id", m => m.subgoal_id.clear());
    spoil!(6, ActivityAdded, "activity_added.order_key", m => m.order_key.push('1'));
    spoil!(6, ActivityAdded, "activity_added.order_key", m => m.order_key = "A".to_owned());
    spoil!(6, ActivityAdded, "activity_added.responsible[2]", m => m.responsible[2].push(0));
    spoil!(6, ActivityAdded, "activity_added.responsible[1]", m => m.responsible[1] = vec![15; 16]);
    spoil!(6, ActivityAdded, "activity_added.responsible[2]", m => m.responsible.swap(1, 2));
    spoil!(6, ActivityAdded, "activity_added.responsible[0]", m => m.responsible[0] = vec![0; 16]);
    spoil!(6, ActivityAdded, "activity_added.lead", m => m.lead = vec![1]);
    spoil!(7, PartyAdded, "party_added.party_id", m => m.party_id.clear());
    spoil!(7, PartyAdded, "party_added.kind", m => m.kind = 0);
    spoil!(7, PartyAdded, "party_added.kind", m => m.kind = 8);
    spoil!(7, PartyAdded, "party_added.organisation_id", m => m.organisation_id.push(1));
    spoil!(15, SourceImported, "source_imported.dialect", m => m.dialect.clear());
    spoil!(15, SourceImported, "source_imported.dialect", m => m.dialect = "min fil".to_owned());
}

#[test]
fn every_flaw_of_an_edit_is_named_by_its_path() {
    use wire::new_value::Value;
    fn set(m: &mut wire::FieldRevised, field: wire::Field, value: Value) {
        m.field = field.into();
        m.value = Some(wire::NewValue { value: Some(value) });
    }
    let sealed = || Value::Sealed(wire::Sealed {});
    let party = || Value::PartyId(vec![1; 16]);
    spoil!(8, FieldRevised, "field_revised.entity_id", m => m.entity_id = vec![0; 16]);
    spoil!(8, FieldRevised, "field_revised.field", m => m.field = 0);
    spoil!(8, FieldRevised, "field_revised.field", m => m.field = 6);
    spoil!(8, FieldRevised, "field_revised.field", m => m.field = wire::Field::Place.into());
    spoil!(8, FieldRevised, "field_revised.field", m => m.field = wire::Field::Life.into());
    spoil!(8, FieldRevised, "field_revised.field", m => m.field = wire::Field::Responsible.into());
    spoil!(8, FieldRevised, "field_revised.value", m => m.value = None);
    spoil!(8, FieldRevised, "field_revised.value", m => m.value = Some(wire::NewValue::default()));
    spoil!(8, FieldRevised, "field_revised.value.sealed", m => set(m, wire::Field::Lead, sealed()));
    spoil!(8, FieldRevised, "field_revised.value.party_id", m => set(m, wire::Field::Title, party()));
    spoil!(8, FieldRevised, "field_revised.value.party_id", m => set(m, wire::Field::Lead, Value::PartyId(vec![])));
    spoil!(8, FieldRevised, "digests[0].slot", m => m.field = wire::Field::Title.into());
    spoil!(8, FieldRevised, "digests[0].slot", m => set(m, wire::Field::Cost, Value::Cleared(wire::Cleared {})));
    spoil!(9, ResponsibleAssigned, "responsible_assigned.activity_id", m => m.activity_id.clear());
    spoil!(9, ResponsibleAssigned, "responsible_assigned.party_id", m => m.party_id = vec![0; 16]);
    spoil!(10, ResponsibleUnassigned, "responsible_unassigned.activity_id", m => m.activity_id.clear());
    spoil!(10, ResponsibleUnassigned, "responsible_unassigned.party_id", m => m.party_id.clear());
    spoil!(11, Placed, "placed.entity_id", m => m.entity_id.clear());
    spoil!(11, Placed, "placed.parent_id", m => m.parent_id.clear());
    spoil!(11, Placed, "placed.order_key", m => m.order_key = "0".to_owned());
    spoil!(12, Retired, "retired.entity_id", m => m.entity_id.clear());
    spoil!(12, Retired, "retired.merged_into", m => m.merged_into = vec![0; 16]);
    spoil!(13, Restored, "restored.entity_id", m => m.entity_id.clear());
}

#[test]
fn every_flaw_of_a_resolution_is_named_by_its_path() {
    use wire::standing::Value;
    fn stand(m: &mut wire::ConflictResolved, value: Value) {
        m.stands = Some(wire::Standing { value: Some(value) });
    }
    fn on(m: &mut wire::ConflictResolved, field: wire::Field, value: Value) {
        m.field = Some(wire::FieldRef { field: field.into(), party_id: Vec::new() });
        stand(m, value);
    }
    let many = |n: u8| (1..=n).map(|n| vec![n; 16]).collect::<Vec<_>>();
    let orphan = wire::LifeState { retired: false, merged_into: vec![1; 16] };
    let nowhere = wire::Placement { parent_id: vec![1; 16], order_key: "A".to_owned() };
    spoil!(14, ConflictResolved, "conflict_resolved.entity_id", m => m.entity_id.clear());
    spoil!(14, ConflictResolved, "conflict_resolved.field", m => m.field = None);
    spoil!(14, ConflictResolved, "conflict_resolved.settles", m => m.settles.clear());
    spoil!(14, ConflictResolved, "conflict_resolved.settles", m => m.settles = many(65));
    spoil!(14, ConflictResolved, "conflict_resolved.settles[1]", m => m.settles.swap(0, 1));
    spoil!(14, ConflictResolved, "conflict_resolved.settles[1]", m => m.settles[1] = m.settles[0].clone());
    spoil!(14, ConflictResolved, "conflict_resolved.take", m => m.take = vec![33; 16]);
    spoil!(14, ConflictResolved, "conflict_resolved.take", m => m.take = vec![31; 4]);
    spoil!(14, ConflictResolved, "conflict_resolved.stands", m => m.stands = None);
    spoil!(14, ConflictResolved, "conflict_resolved.stands.sealed", m => stand(m, Value::Sealed(wire::Sealed {})));
    spoil!(14, ConflictResolved, "conflict_resolved.stands.sealed_in", m => m.take.clear());
    spoil!(14, ConflictResolved, "conflict_resolved.stands.sealed_in", m => stand(m, Value::SealedIn(vec![])));
    spoil!(14, ConflictResolved, "conflict_resolved.stands.party_id", m => stand(m, Value::PartyId(vec![1; 16])));
    spoil!(14, ConflictResolved, "conflict_resolved.stands.responsible", m => stand(m, Value::Responsible(true)));
    spoil!(14, ConflictResolved, "conflict_resolved.stands.cleared",
        m => on(m, wire::Field::Place, Value::Cleared(wire::Cleared {})));
    spoil!(14, ConflictResolved, "conflict_resolved.stands.place", m => stand(m, Value::Place(nowhere.clone())));
    spoil!(14, ConflictResolved, "conflict_resolved.stands.place.order_key",
        m => on(m, wire::Field::Place, Value::Place(nowhere.clone())));
    spoil!(14, ConflictResolved, "conflict_resolved.stands.life.merged_into",
        m => on(m, wire::Field::Life, Value::Life(orphan.clone())));
}

#[test]
fn a_kind_from_a_newer_release_is_kept_with_any_values() {
    let mut there = message(6);
    there.kind = "budget_frozen".to_owned();
    there.change = None;
    there.digests[4].slot = 900;
    let read = decode_body(&there.encode_to_vec()).unwrap();
    assert_eq!(
        (read.kind.as_str(), &read.change, read.must_understand),
        ("budget_frozen", &Change::Unknown, true)
    );
    assert_eq!(read.digests.len(), 5);
    assert_eq!(encode_body(&read).unwrap_err().path, "change");
}

#[test]
fn a_newer_version_of_a_known_kind_is_unknown_too() {
    let mut there = message(6);
    there.schema_version = 2;
    there.digests[4].slot = 900;
    let read = decode_body(&there.encode_to_vec()).unwrap();
    assert_eq!(
        (read.kind.as_str(), read.schema_version, &read.change),
        ("activity_added", 2, &Change::Unknown)
    );
    there.kind = "placed".to_owned();
    assert_eq!(path_of(&there), "kind");
}

#[test]
fn an_author_cannot_encode_what_readers_would_refuse() {
    let spoiled = EventBody { kind: "placed".to_owned(), ..samples::bodies().remove(6) };
    assert_eq!(encode_body(&spoiled).unwrap_err().path, "kind");
    let spoiled = EventBody { schema_version: 2, ..samples::bodies().remove(6) };
    assert_eq!(encode_body(&spoiled).unwrap_err().path, "schema_version");
    let spoiled = EventBody { device_seq: DeviceSeq::new(2), ..samples::bodies().remove(6) };
    assert_eq!(encode_body(&spoiled).unwrap_err().path, "base.seq");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode_body(&bytes);
    }

    #[test]
    fn a_damaged_body_is_read_or_refused_and_never_panics(
        n in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let bodies = samples::bodies();
        let mut bytes = encode_body(n.get(&bodies)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(read) = decode_body(&bytes) {
            prop_assert!(read.device_seq > read.base.seq);
        }
        bytes.truncate(cut.index(bytes.len()));
        let _ = decode_body(&bytes);
    }
}
