"""Checks of what is asked: health, reflection, the programme and its past, errors, pages, the stream."""
import json
import os
import re
import shutil
import subprocess
import uuid

from google.protobuf.json_format import ParseDict
from harness import PAGE, REFLECTIONS, ROOT
from helpers import called, check, edit, get, head

OUR_SERVICES = {f"radslag.api.v1.{name}Service" for name in ("Admin", "Audit", "Program", "Sync")}


@check
def health_is_serving_for_the_server_and_each_service(c):
    import health_v1_pb2 as health, health_v1_pb2_grpc

    stub = health_v1_pb2_grpc.HealthStub(c.channel)
    for service in {""} | OUR_SERVICES:
        assert stub.Check(health.Request(service=service)).status == health.Response.SERVING, service


@check
def reflection_lists_the_services_in_both_versions(c):
    for name in REFLECTIONS.values():
        protocol, stubs = __import__(f"{name}_pb2"), __import__(f"{name}_pb2_grpc")
        reflection = stubs.ServerReflectionStub(c.channel)
        asked = [protocol.Request(list_services="*"), protocol.Request(file_containing_symbol="radslag.api.v1.SyncService")]
        listed, found = reflection.ServerReflectionInfo(iter(asked))
        services = {service.name for service in listed.list_services_response.service}
        assert OUR_SERVICES | {"grpc.health.v1.Health"} <= services, services
        assert found.file_descriptor_response.file_descriptor_proto, "the server does not describe SyncService"


@check
def the_commands_for_json_give_what_the_calls_give(c):
    if shutil.which("buf") is None:
        print("skipped: buf is not installed, so the commands for JSON are not run")
        return
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("buf curl ")]
    said = []
    for line in lines:
        environment = dict(os.environ, PROGRAM=c.PROGRAM, NO_PROXY="127.0.0.1")
        ran = subprocess.run(["bash", "-euc", line], env=environment, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
        said.append(ran.stdout)
    listed, program, stream = said
    assert ParseDict(json.loads(listed), c.program_pb2.ListProgramsResponse()) == c.programs.ListPrograms(c.program_pb2.ListProgramsRequest())
    assert ParseDict(json.loads(program), c.program_pb2.GetProgramResponse()) == get(c, position=50)
    assert stream.count('"bodyHash"') >= head(c) and '"caughtUp"' in stream


@check
def the_programme_is_the_table_that_was_imported(c):
    first = get(c, position=c.now.basis.position).program
    assert first == c.now.program, "the past has changed"
    rows = (ROOT / "samples" / "sodertorn-2019.tsv").read_text("utf-8").splitlines()
    assert any(first.title in row for row in rows), first.title
    for activity in c.activities:
        assert any(activity.title in row for row in rows), activity.title
    assert first.cost.low_ore == first.cost.high_ore == sum(one.cost.ore for one in c.activities)


@check
def a_day_and_an_instant_and_a_position_of_the_past_agree(c):
    last = c.records[49].record
    by_instant = c.common_pb2.AsOf()
    by_instant.instant.FromMicroseconds(last.recorded_at)
    asked = c.program_pb2.GetProgramRequest(program_id=c.PROGRAM, as_of=by_instant)
    by_instant, by_position = c.programs.GetProgram(asked), get(c, position=50)
    # An instant within a group is before the group.
    assert by_instant.basis.position <= 50
    assert by_instant == get(c, position=by_instant.basis.position)
    assert by_position.basis.position == 50
    today = get(c).basis.effective_on
    assert get(c, local_date=today).basis.position == head(c)
    assert not get(c, local_date="2019-04-10").program.areas
    assert not get(c, position=0).program.areas


@check
def a_date_beyond_the_calendar_and_a_page_too_large_are_named_in_full(c):
    from google.rpc import error_details_pb2, status_pb2

    as_of = c.common_pb2.AsOf(local_date="10 april", effective_on="2019-02-29")
    error = called(c.programs.GetProgram, c.program_pb2.GetProgramRequest(program_id="x", as_of=as_of))
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    fields = {violation.field for violation in bad.field_violations}
    assert fields == {"program_id", "as_of.local_date", "as_of.effective_on"}, fields


@check
def errors_have_a_code_and_a_reason(c):
    nobody, p, a = str(uuid.uuid4()), c.program_pb2, c.audit_pb2
    ahead = c.common_pb2.AsOf(position=head(c) + 1)
    history = c.audit.ListHistory(a.ListHistoryRequest(program_id=c.PROGRAM, entity_id=c.ACTIVITY, page_size=1))
    of_another = a.ListLogRequest(program_id=c.PROGRAM, page_token=history.next_page_token)
    expected = [
        (c.programs.GetProgram, p.GetProgramRequest(program_id=nobody), "NOT_FOUND", "PROGRAM_NOT_FOUND"),
        (c.sync.Hello, c.sync_pb2.HelloRequest(program_id=nobody), "NOT_FOUND", "PROGRAM_NOT_FOUND"),
        (lambda r: list(c.sync.Subscribe(r)), c.sync_pb2.SubscribeRequest(program_id=nobody), "NOT_FOUND", "PROGRAM_NOT_FOUND"),
        (c.programs.GetProgram, p.GetProgramRequest(program_id="not-an-id"), "INVALID_ARGUMENT", "INVALID_REQUEST"),
        (c.programs.GetProgram, p.GetProgramRequest(program_id=c.PROGRAM, as_of=ahead), "OUT_OF_RANGE", "POSITION_AHEAD"),
        (c.programs.ListPrograms, p.ListProgramsRequest(page_token="made-up"), "INVALID_ARGUMENT", "INVALID_PAGE_TOKEN"),
        (c.audit.ListLog, of_another, "INVALID_ARGUMENT", "INVALID_PAGE_TOKEN"),
        (c.audit.ListLog, a.ListLogRequest(program_id=c.PROGRAM, page_size=501), "INVALID_ARGUMENT", "INVALID_REQUEST"),
        (c.audit.ListHistory, a.ListHistoryRequest(program_id=c.PROGRAM, entity_id=nobody), "NOT_FOUND", "ENTITY_NOT_FOUND"),
        (lambda r: list(c.sync.GetSnapshot(r)), c.sync_pb2.GetSnapshotRequest(program_id=nobody), "NOT_FOUND", "PROGRAM_NOT_FOUND"),
        (c.sync.Push, c.sync_pb2.PushRequest(), "INVALID_ARGUMENT", "INVALID_REQUEST"),
        (c.sync.Push, c.sync_pb2.PushRequest(request_id="x" * (3 << 20)), "INVALID_ARGUMENT", "OVER_LIMIT"),
    ]
    page = PAGE.read_text("utf-8")
    for call, request, code, reason in expected:
        error = called(call, request)
        assert (error.code().name, c.why(error)[0]) == (code, reason), (request, error)
        assert any(f"`{code}`" in row and f"`{reason}`" in row for row in page.splitlines()), f"the page's table lacks {code} {reason}"


@check
def the_page_names_every_reason_and_no_other(c):
    names = set(re.findall(r"`([A-Z][A-Z_]+)`", PAGE.read_text("utf-8")))
    reasons = {path.stem for path in (ROOT / "docs" / "errors").glob("*.md")} - {"README"}
    others = {code.name for code in c.grpc.StatusCode} | set(c.change_pb2.Authority.keys())
    assert reasons <= names <= reasons | others, (reasons - names, names - reasons - others)


@check
def the_page_gives_every_reason_the_code_that_it_has(c):
    codes = dict(re.findall(r"Class::(\w+) => Code::(\w+),", (ROOT / "proto" / "src" / "status.rs").read_text("utf-8")))
    reasons = re.findall(r'^    \w+ "([A-Z_]+)" (\w+),', (ROOT / "proto" / "src" / "status" / "reason.rs").read_text("utf-8"), re.M)
    by_reason = {reason: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", codes[sort]).upper() for reason, sort in reasons}
    assert len(by_reason) > 40, by_reason
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \| (`[A-Z_`, ]+`) \|", PAGE.read_text("utf-8"), re.M)
    told = {reason: set(re.findall(r"`(\w+)`", row[0])) for row in rows for reason in re.findall(r"`(\w+)`", row[1])}
    assert len(told) > 15, told
    wrong = {reason: (codes, by_reason.get(reason)) for reason, codes in told.items() if by_reason.get(reason) not in codes}
    assert not wrong, wrong


@check
def small_pages_together_are_the_one_large_page(c):
    whole = c.audit.ListHistory(c.audit_pb2.ListHistoryRequest(program_id=c.PROGRAM, entity_id=c.ACTIVITY))
    assert len(whole.changes) > 4 and not whole.next_page_token
    for size in (1, 2, 3):
        request = c.audit_pb2.ListHistoryRequest(program_id=c.PROGRAM, entity_id=c.ACTIVITY, page_size=size)
        paged = list(c.pages(c.audit.ListHistory, request, "changes"))
        assert all(len(page) == size for page in paged[:-1]) and len(paged[-1]) <= size
        assert [change for page in paged for change in page] == list(whole.changes)


@check
def pages_stay_at_the_first_one_while_somebody_writes(c):
    before = head(c)
    pages = c.pages(c.audit.ListLog, c.audit_pb2.ListLogRequest(program_id=c.PROGRAM, page_size=50), "lines")
    lines = list(next(pages))
    assert edit(c, c.botkyrka, 7_600_000, "76 000 kr")[1].accepted.position == before + 1
    lines += [line for page in pages for line in page]
    assert [line.position for line in lines] == list(range(1, before + 1))


@check
def the_whole_log_verifies_and_a_changed_record_does_not(c):
    records, bundles, caught_up = c.follow(c.PROGRAM)
    assert [frame.record.position for frame in records] == list(range(1, caught_up.head.position + 1))
    c.verify(c.PROGRAM, records, bundles, caught_up, c.hello.log_key)
    for spoil in ("recorded_at", "facts", "event_id"):
        spoilt = [type(frame).FromString(frame.SerializeToString()) for frame in records]
        record = spoilt[len(spoilt) // 2].record
        value = getattr(record, spoil)
        setattr(record, spoil, value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:])
        try:
            c.verify(c.PROGRAM, spoilt, bundles, caught_up, c.hello.log_key)
        except ValueError:
            continue
        raise AssertionError(f"a record with another {spoil} verifies")


@check
def every_value_body_and_fact_is_what_the_format_says(c):
    records, _, _ = c.follow(c.PROGRAM)
    program, chains = uuid.UUID(c.PROGRAM).bytes, {}
    for frame in records:
        record = frame.record
        assert record.outcome in (c.log_pb2.OUTCOME_ACCEPTED, c.log_pb2.OUTCOME_REJECTED) and record.facts[0] == record.outcome
        if record.outcome == c.log_pb2.OUTCOME_REJECTED:
            continue
        body = c.event_pb2.EventBody.FromString(record.body)
        assert body.WhichOneof("change") == body.kind and body.program_id == program and body.event_id == record.event_id
        expected = {}
        for value in frame.values:
            head = c.struct.pack(">H16sI", value.slot, value.salt, len(value.bytes))
            expected[value.slot] = c.sha(b"radslag/value/v1\n", program, body.event_id, head, value.bytes)
        assert expected == {digest.slot: digest.digest for digest in body.digests}
        assert (body.device_seq, body.prev) == chains.get(body.device_id, (1, bytes(32)))
        chains[body.device_id] = (body.device_seq + 1, record.body_hash)
        pairs = int.from_bytes(record.facts[9:11], "big")
        assert len(record.facts) == 11 + 34 * pairs + 1 and record.facts[-1] == 0


@check
def a_cursor_goes_on_where_it_stopped(c):
    at = c.records[59].record.position
    cursor = c.sync_pb2.Cursor(epoch_id=c.caught_up.head.epoch_id, position=at)
    records, bundles, caught_up = c.follow(c.PROGRAM, cursor)
    assert [frame.record.position for frame in records] == list(range(at + 1, head(c) + 1))
    # A bundle is told where its first record is not sent again, too.
    assert all(frame.record.bundle_position in bundles for frame in records)
    assert c.follow(c.PROGRAM, caught_up.head)[0] == []


@check
def a_cursor_of_another_log_is_told_to_begin_again(c):
    ahead = c.sync_pb2.Cursor(epoch_id=c.caught_up.head.epoch_id, position=head(c) + 1)
    foreign = c.sync_pb2.Cursor(epoch_id=str(uuid.uuid4()), position=1)
    for cursor, reason in ((ahead, "POSITION_AHEAD"), (foreign, "FOREIGN_EPOCH")):
        try:
            c.follow(c.PROGRAM, cursor)
        except LookupError as told:
            assert str(told) == reason
        else:
            raise AssertionError(f"nothing was said of {reason}")


@check
def a_subscriber_hears_of_a_push_as_it_lands(c):
    cursor = c.sync_pb2.Cursor(epoch_id=c.caught_up.head.epoch_id, position=head(c))
    stream = c.sync.Subscribe(c.sync_pb2.SubscribeRequest(program_id=c.PROGRAM, after=cursor))
    assert next(stream).WhichOneof("frame") == "caught_up"
    _, answer = edit(c, c.botkyrka, 7_700_000, "77 000 kr")
    (frame,) = next(stream).events.records
    stream.cancel()
    assert frame.record.position == answer.accepted.position
    bundle = c.follow(c.PROGRAM, cursor)[1][frame.record.bundle_position]
    assert c.leaf_hash(frame.record, bundle.signature) == answer.accepted.leaf_hash


@check
def a_filtered_stream_goes_on_from_wherever_it_had_looked_to(c):
    def passing(after=None, **filtered):
        request = c.sync_pb2.SubscribeRequest(program_id=c.PROGRAM, after=after, until_caught_up=True, filter=c.sync_pb2.Filter(**filtered))
        records, bundles = [], []
        for answer in c.sync.Subscribe(request):
            assert answer.covered_to.position >= max((frame.record.position for frame in answer.events.records), default=0)
            records.extend(answer.events.records)
            bundles.extend(answer.events.bundles)
        assert answer.covered_to == answer.caught_up.head
        return records, bundles

    before, area = head(c), c.now.program.areas[-1]
    records, _ = passing(area_id=area.area_id)
    # The area, its sub-goals and its activities, each added once, and nothing has happened there since.
    below = 1 + len(area.subgoals) + sum(len(subgoal.activities) for subgoal in area.subgoals)
    assert len(records) == below, (len(records), below)
    positions = [frame.record.position for frame in records]
    for cut in range(0, before + 1, 7):
        cursor = c.sync_pb2.Cursor(epoch_id=c.caught_up.head.epoch_id, position=cut)
        assert [frame.record.position for frame in passing(cursor, area_id=area.area_id)[0]] == [at for at in positions if at > cut]
    # What an organisation wrote, and the signature over it: what was left out of its bundle is named by its hash.
    records, bundles = passing(org="botkyrka")
    assert records and all(c.event_pb2.EventBody.FromString(frame.record.body).org_id == "botkyrka" for frame in records)
    for bundle in bundles:
        members = {member.index: member.body_hash for member in bundle.absent}
        members |= {f.record.bundle_index: c.sha(f.record.body) for f in records if f.record.bundle_position == bundle.position}
        signed = c.bundle_bytes(uuid.UUID(c.PROGRAM).bytes, bundle.device_id, [members[index] for index in range(bundle.size)])
        c.botkyrka.key.public_key().verify(bundle.signature, signed)


@check
def a_filtered_subscriber_is_shown_what_passes_and_how_far_the_stream_has_looked(c):
    at = head(c)
    after = c.sync_pb2.Cursor(epoch_id=c.caught_up.head.epoch_id, position=at)
    costly = next(a for a in c.now.program.areas if any(c.ACTIVITY == one.activity_id for s in a.subgoals for one in s.activities))
    other = next(area for area in c.now.program.areas if area.area_id != costly.area_id)
    here, there = (c.sync.Subscribe(c.sync_pb2.SubscribeRequest(program_id=c.PROGRAM, after=after, filter=c.sync_pb2.Filter(area_id=area.area_id))) for area in (costly, other))
    assert all(next(stream).covered_to == after for stream in (here, there))
    landed = edit(c, c.botkyrka, 7_750_000, "77 500 kr")[1].accepted.position
    news = next(here)
    assert [frame.record.position for frame in news.events.records] == [landed] and news.covered_to.position == landed
    here.cancel()
    there.cancel()
    # Nobody who comes back is shown it again.
    again = c.sync_pb2.SubscribeRequest(program_id=c.PROGRAM, after=news.covered_to, until_caught_up=True, filter=c.sync_pb2.Filter(area_id=costly.area_id))
    assert [answer.WhichOneof("frame") for answer in c.sync.Subscribe(again)] == ["caught_up"]


@check
def a_filter_that_names_nothing_is_an_error_that_says_where(c):
    from google.rpc import error_details_pb2, status_pb2

    for filtered, reason in ((dict(area_id=str(uuid.uuid4())), "ENTITY_NOT_FOUND"), (dict(area_id=c.ACTIVITY), "INVALID_REQUEST"), (dict(org="nobody"), "INVALID_REQUEST"), ({}, "INVALID_REQUEST")):
        request = c.sync_pb2.SubscribeRequest(program_id=c.PROGRAM, filter=c.sync_pb2.Filter(**filtered))
        error = called(lambda r: list(c.sync.Subscribe(r)), request)
        assert c.why(error)[0] == reason, error
        status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
        bad = error_details_pb2.BadRequest()
        named = [violation.field for detail in status.details if detail.Unpack(bad) for violation in bad.field_violations]
        assert named == [] if reason == "ENTITY_NOT_FOUND" else named == [".".join(["filter", *filtered])], named
