"""Checks of what is handed in: receipts, refusals, rejections, conflicts, a programme of its own."""
import uuid

from helpers import called, check, cost_change, edit, get, head, refused


@check
def a_retry_in_another_grouping_brings_the_same_receipts(c):
    device = c.botkyrka
    (one,), answer = edit(c, device, 7_800_000, "78 000 kr")
    first = answer.accepted
    (two,) = device.author(device.looking_at(get(c).basis), cost_change(c, 7_900_000, "79 000 kr"))
    again, second = device.push([one, two])
    assert again.WhichOneof("answer") == "duplicate" and second.WhichOneof("answer") == "accepted"
    receipt = again.duplicate.accepted
    assert (receipt.position, receipt.recorded_at, receipt.leaf_hash) == (first.position, first.recorded_at, first.leaf_hash)
    assert head(c) == second.accepted.position == first.position + 1
    # The bundle of the second names the first as absent, so it still verifies.
    c.verify(c.PROGRAM, *c.follow(c.PROGRAM), c.hello.log_key)


@check
def a_forged_signature_is_refused(c):
    (event,) = c.botkyrka.author(c.botkyrka.looking_at(get(c).basis), cost_change(c, 1, "1"))
    bundle = c.botkyrka.sign([event])
    bundle.signature = bytes([bundle.signature[0] ^ 1]) + bundle.signature[1:]
    refused(c, bundle, "BAD_SIGNATURE")
    changed = c.botkyrka.sign([event])
    changed.events[0].body += b"\x78\x00"  # must_understand: false, spelled out; the same message in other bytes.
    refused(c, changed, "BAD_SIGNATURE")


@check
def a_device_that_nobody_enrolled_is_refused(c):
    stranger = c.Device(c.PROGRAM, "botkyrka")
    events = stranger.author(stranger.looking_at(get(c).basis), cost_change(c, 1, "1"))
    refused(c, stranger.sign(events), "DEVICE_NOT_ENROLLED")


@check
def a_device_cannot_sign_in_the_name_of_another(c):
    stranger = c.Device(c.PROGRAM, "botkyrka")
    stranger.id, stranger.member = c.botkyrka.id, c.botkyrka.member
    stranger.seq, stranger.prev = c.botkyrka.seq, c.botkyrka.prev
    events = stranger.author(stranger.looking_at(get(c).basis), cost_change(c, 1, "1"))
    refused(c, stranger.sign(events), "BAD_SIGNATURE")


@check
def values_that_are_not_those_of_the_digests_are_refused(c):
    (event,) = c.botkyrka.author(c.botkyrka.looking_at(get(c).basis), cost_change(c, 1, "1", reason="a"))
    for spoil in ("change", "drop", "repeat"):
        bundle = c.botkyrka.sign([event])
        values = bundle.events[0].values
        if spoil == "change":
            values[1].bytes = b"b"
        elif spoil == "drop":
            del values[1]
        else:
            values.append(values[1])
        refused(c, bundle, "VALUE_MISMATCH")


@check
def an_event_over_the_limit_is_refused(c):
    limits = c.hello.limits
    told = (limits.event_bytes, limits.push_events, limits.push_bytes, limits.group_bytes)
    assert told == (64 << 10, 500, 1 << 20, 256 << 10), told
    events = c.botkyrka.author(c.botkyrka.looking_at(get(c).basis), cost_change(c, 1, "1", reason="x" * (64 << 10)))
    refused(c, c.botkyrka.sign(events), "OVER_LIMIT")


@check
def a_base_that_nobody_can_have_seen_is_refused(c):
    base = c.botkyrka.looking_at(get(c).basis)
    base.position += 1
    events = c.botkyrka.author(base, cost_change(c, 1, "1"))
    refused(c, c.botkyrka.sign(events), "BASE_AHEAD")


@check
def a_view_with_an_own_event_but_not_what_that_had_seen_is_refused(c):
    base = c.botkyrka.looking_at(get(c).basis)
    base.position = 1
    events = c.botkyrka.author(base, cost_change(c, 1, "1"))
    refused(c, c.botkyrka.sign(events), "VIEW_NOT_CLOSED")


@check
def half_a_group_is_refused(c):
    changes = [cost_change(c, 1, "1"), cost_change(c, 2, "2")]
    events = c.botkyrka.author(c.botkyrka.looking_at(get(c).basis), *changes)
    refused(c, c.botkyrka.sign(events[:1]), "GROUP_INCOMPLETE")
    # The writer goes on.
    assert c.botkyrka.push(events)[1].accepted.position == head(c)


@check
def a_group_with_a_value_that_was_not_signed_is_refused_whole(c):
    changes = [cost_change(c, 1, "1"), cost_change(c, 2, "2")]
    bundle = c.botkyrka.sign(c.botkyrka.author(c.botkyrka.looking_at(get(c).basis), *changes))
    bundle.events[1].values[0].bytes = c.cost_of(3, "3")
    refused(c, bundle, "VALUE_MISMATCH")


@check
def an_event_out_of_sequence_is_told_what_is_missing(c):
    device, before = c.botkyrka, head(c)
    _, later = device.author(device.looking_at(get(c).basis), cost_change(c, 1, "1"), cost_change(c, 2, "2"))
    body = c.event_pb2.EventBody.FromString(later.body)
    body.ClearField("group")
    later.body = body.SerializeToString()
    (answer,) = device.push([later])
    assert answer.gap.expected_device_seq == device.seq + 1 and head(c) == before


@check
def a_rejection_is_a_record_and_the_chain_goes_on_after_it(c):
    device = c.botkyrka
    before = edit(c, device, 7_900_000, "79 000 kr")[1].accepted.position
    never_written = c.event_pb2.Expectation(entity_id=uuid.UUID(c.ACTIVITY).bytes, field={"field": c.change_pb2.FIELD_COST})
    events, answer = edit(c, device, 1, "1", expect=[never_written])
    rejected = answer.rejected
    assert (rejected.reason, rejected.position, len(rejected.current_sides)) == ("STALE", before + 1, 1), answer
    (again,) = device.push(events)
    assert (again.duplicate.rejected.reason, again.duplicate.rejected.position) == ("STALE", rejected.position), again
    (line,) = c.audit.ListLog(c.audit_pb2.ListLogRequest(program_id=c.PROGRAM, page_size=500)).lines[before:]
    assert line.rejected and line.rejection == "STALE" and not line.kind
    _, after = edit(c, device, 8_000_000, "80 000 kr")
    assert after.accepted.position == before + 2
    c.verify(c.PROGRAM, *c.follow(c.PROGRAM), c.hello.log_key)


@check
def two_who_had_not_seen_each_other_open_a_conflict(c):
    nynashamn = c.Device(c.PROGRAM, "nynashamn")
    assert {one.WhichOneof("answer") for one in c.enrol(nynashamn, get(c).basis, "Bo Ek")} == {"accepted"}
    basis = get(c).basis
    bases = [device.looking_at(basis) for device in (c.botkyrka, nynashamn)]
    (first,) = c.botkyrka.push(c.botkyrka.author(bases[0], cost_change(c, 8_100_000, "81 000 kr")))
    (second,) = nynashamn.push(nynashamn.author(bases[1], cost_change(c, 9_000_000, "90 000 kr")))
    landings = (first.accepted.landing, second.accepted.landing)
    assert landings == (c.sync_pb2.LANDING_CLEAN, c.sync_pb2.LANDING_OPENED_CONFLICT)
    (conflict,) = get(c).program.conflicts
    assert sorted(side.value.money.raw for side in conflict.sides) == ["81 000 kr", "90 000 kr"]
    assert {side.author.member for side in conflict.sides} == {"Åsa Lind", "Bo Ek"}
    total = get(c).program.cost
    assert total.high_ore - total.low_ore == 900_000


@check
def a_machine_with_a_copy_of_the_key_is_found_out(c):
    base = c.botkyrka.looking_at(get(c).basis)
    (mine,) = c.botkyrka.author(base, cost_change(c, 8_200_000, "82 000 kr"))
    (other,) = c.botkyrka.author(base, cost_change(c, 8_300_000, "83 000 kr"))
    (landed,) = c.botkyrka.push([mine])
    (answer,) = c.botkyrka.push([other])
    assert answer.device_forked.landed_event_id == landed.event_id


@check
def a_programme_that_this_client_began_takes_its_events(c):
    device, change = c.device, c.change_pb2
    admitted = (change.OrganisationAdmitted(org_id=device.org), {})
    member = (change.MemberAdmitted(member_id=device.member.bytes, org_id=device.org), {c.MEMBER_NAME: b"Eva"})
    area = (change.AreaAdded(area_id=uuid.uuid4().bytes, order_key="i"), {c.TITLE: "Energi".encode()})
    base = device.looking_at(c.answer.head)
    answers = [*device.push(device.author(base, admitted, member)), *device.push(device.author(base, area))]
    assert [answer.accepted.position for answer in answers] == [2, 3, 4]
    program = str(device.program)
    answer = c.programs.GetProgram(c.program_pb2.GetProgramRequest(program_id=program))
    assert [area.title for area in answer.program.areas] == ["Energi"]
    c.verify(program, *c.follow(program), c.hello.log_key)
    other = c.Device(program, "botkyrka")
    created = change.ProgramCreated(log_key=c.hello.log_key, device_key=other.key.public_key().public_bytes_raw(), rules=1)
    bundle = other.sign(other.author(other.looking_at(c.nothing), (created, {c.TITLE: b"X"})))
    error = called(c.admin.CreateProgram, c.admin_pb2.CreateProgramRequest(bundle=bundle))
    assert (error.code().name, c.why(error)[0]) == ("ALREADY_EXISTS", "PROGRAM_EXISTS"), error
