#!/usr/bin/env python3
"""A client that knows docs/format.md, docs/api.md and proto/ alone, against a real server.

The client is the Python of docs/api.md: every block there is run, in order, and must print the answer that stands under it. Then the checks below
go on with its functions. `--write` puts the answers of this run onto the page instead of comparing them.

Takes the server from $RADSLAGD and the command from $RADSLAG, else from target/debug.
"""
import contextlib
import io
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import traceback
import types
import uuid

sys.dont_write_bytecode = True

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "api.md"
RADSLAGD = os.environ.get("RADSLAGD") or str(ROOT / "target" / "debug" / "radslagd")
RADSLAG = os.environ.get("RADSLAG") or str(pathlib.Path(RADSLAGD).with_name("radslag"))
# A server that hangs is stopped after so many seconds, and every call to it fails.
PATIENCE = 180

# The public protocols of gRPC itself, as much of them as is asked here. The two versions of reflection differ in their package alone.
HEALTH = """
syntax = "proto3";
package grpc.health.v1;
service Health { rpc Check(Request) returns (Response); }
message Request { string service = 1; }
message Response { enum Status { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; } Status status = 1; }
"""
REFLECTION = """
syntax = "proto3";
package grpc.reflection.VERSION;
service ServerReflection { rpc ServerReflectionInfo(stream Request) returns (stream Response); }
message Request { string host = 1; oneof asked { string file_containing_symbol = 4; string list_services = 7; } }
message Response { oneof answer { Files file_descriptor_response = 4; Services list_services_response = 6; } }
message Files { repeated bytes file_descriptor_proto = 1; }
message Services { repeated Service service = 1; }
message Service { string name = 1; }
"""
REFLECTIONS = {"v1": "reflection_v1", "v1alpha": "reflection_v1alpha"}
OUR_SERVICES = {f"radslag.api.v1.{name}Service" for name in ("Admin", "Audit", "Program", "Sync")}


# The page -----------------------------------------------------------------------------------------------------------------------------

BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<answer>.*?)^```\n)?", re.M | re.S)

# What differs from run to run.
VARYING = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z"), "<time>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"[A-Za-z0-9+/]{43,}=*"), "<bytes>"),
    (re.compile(r"(?<=\"effective_on\": \")\d{4}-\d\d-\d\d|(?<=\"applies_on\": \")\d{4}-\d\d-\d\d"), "<date>"),
]


def settled(text):
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text


def command(page, beginning):
    """The one line of the page's shell commands that begins so."""
    lines = [line for line in page.splitlines() if line.startswith(beginning)]
    assert len(lines) == 1, f"the page has {len(lines)} lines that begin with {beginning!r}"
    return lines[0]


def block_name(page, block):
    heading = re.findall(r"^#+ (.*)$", page[: block.start()], re.M)[-1]
    line = page[: block.start()].count("\n") + 1
    return f'the block under "{heading}" in line {line} of docs/api.md'


def run_block(page, block, client):
    printed = io.StringIO()
    # Padded, so that a traceback names the line of the page.
    code = "\n" * (page[: block.start()].count("\n") + 1) + block["code"]
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(PAGE), "exec"), client)  # The page is ours, and running it is the point.
    return printed.getvalue()


def with_answer(block, printed):
    answer = f"\n```text\n{printed}```\n" if printed else ""
    return f"```python\n{block['code']}```\n{answer}"


# The server ---------------------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def server(folder):
    """A server on a free port of loopback; its address. It is stopped by its handle, whatever happens."""
    command = [RADSLAGD, "serve", "--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--log", "warn"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    impatience = threading.Timer(PATIENCE, process.kill)
    impatience.start()
    try:
        told = process.stdout.readline()
        address = re.search(r"listens on (http://\S+),", told)
        assert address, f"the server does not say where it listens, but {told!r}"
        yield address[1]
        process.terminate()
        assert process.wait() == 0, f"the server ended with {process.returncode}"
    finally:
        impatience.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def prepare(folder, page):
    """Compiles proto/ as the page says, and the protocols of gRPC."""
    (folder / "proto").symlink_to(ROOT / "proto")
    (folder / "stubs").mkdir()
    (folder / "grpc").mkdir()
    (folder / "grpc" / "health_v1.proto").write_text(HEALTH)
    for version, name in REFLECTIONS.items():
        (folder / "grpc" / f"{name}.proto").write_text(REFLECTION.replace("VERSION", version))
    compiler = command(page, "python3 -m grpc_tools.protoc").removeprefix("python3")
    of_grpc = "-m grpc_tools.protoc -I grpc --python_out=stubs --grpc_python_out=stubs grpc/*.proto"
    for arguments in (compiler, of_grpc):
        line = f"{shlex.quote(sys.executable)} {arguments}"
        subprocess.run(["bash", "-euc", line.replace("grpc/*.proto", "$(cd grpc && echo *.proto)")], cwd=folder, check=True)
    sys.path.insert(0, str(folder / "stubs"))


def create_programme(folder, page, address):
    """Runs the page's own command."""
    path = f"{pathlib.Path(RADSLAG).parent}{os.pathsep}{os.environ['PATH']}"
    environment = dict(os.environ, PATH=path, RADSLAG_HOME=str(folder / "home"), RADSLAG_SERVER=address)
    line = command(page, "radslag program create")
    subprocess.run(["bash", "-euc", line], cwd=ROOT, env=environment, check=True, capture_output=True)


# The checks ---------------------------------------------------------------------------------------------------------------------------

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def called(call, request):
    """The code, reason and details of a call that fails."""
    import grpc

    try:
        call(request)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call did not fail")


def get(c, **when):
    as_of = c.common_pb2.AsOf(**when) if when else None
    return c.programs.GetProgram(c.program_pb2.GetProgramRequest(program_id=c.PROGRAM, as_of=as_of))


def head(c):
    return c.sync.Hello(c.sync_pb2.HelloRequest(program_id=c.PROGRAM)).head.position


def cost_change(c, ore, raw, **texts):
    values = {c.COST: c.cost_of(ore, raw)} | {getattr(c, name.upper()): text.encode() for name, text in texts.items()}
    return c.revised, values


def refused(c, device, events, bundle, reason):
    """A push that is refused for this reason, and leaves no trace."""
    before, state = head(c), get(c).program.state_hash
    answer = c.sync.Push(c.sync_pb2.PushRequest(bundle=bundle))
    kinds = [one.WhichOneof("answer") for one in answer.answers]
    assert kinds == ["refused"], answer
    assert answer.answers[0].refused.reason == reason, answer
    assert (ROOT / "docs" / "errors" / f"{reason}.md").is_file(), f"docs/errors lacks {reason}"
    assert (head(c), get(c).program.state_hash) == (before, state), "a refusal left a trace"


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
def the_programme_is_the_table_that_was_imported(c):
    first = get(c, position=c.now.basis.position).program
    assert first == c.now.program, "the past has changed"
    assert first.title == "Utvecklingsprogram Södertörn" or first.title, first.title
    rows = (ROOT / "samples" / "sodertorn-2019.tsv").read_text("utf-8").splitlines()
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
        (lambda r: list(c.sync.GetSnapshot(r)), c.sync_pb2.GetSnapshotRequest(program_id=c.PROGRAM), "FAILED_PRECONDITION", "NOT_YET"),
        (c.sync.Push, c.sync_pb2.PushRequest(), "INVALID_ARGUMENT", "INVALID_REQUEST"),
    ]
    page = PAGE.read_text("utf-8")
    for call, request, code, reason in expected:
        error = called(call, request)
        assert (error.code().name, c.why(error)[0]) == (code, reason), (request, error)
        assert any(f"`{code}`" in row and f"`{reason}`" in row for row in page.splitlines()), f"the page's table lacks {code} {reason}"


@check
def the_page_names_every_reason_and_no_other(c):
    names = set(re.findall(r"`([A-Z][A-Z_]+)`", PAGE.read_text("utf-8")))
    reasons = {path.stem for path in (ROOT / "docs" / "errors").glob("[A-Z]*_*.md")} - {"README"}
    assert reasons <= names, reasons - names


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
    change = cost_change(c, 7_600_000, "76 000 kr")
    answers = c.botkyrka.push(c.botkyrka.author(c.botkyrka.looking_at(get(c).basis), change))
    assert answers[0].accepted.position == before + 1
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
        except AssertionError:
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
    base = c.botkyrka.looking_at(get(c).basis)
    answers = c.botkyrka.push(c.botkyrka.author(base, cost_change(c, 7_700_000, "77 000 kr", reason="Å")))
    (frame,) = next(stream).events.records
    stream.cancel()
    assert frame.record.position == answers[0].accepted.position
    bundle = c.follow(c.PROGRAM, cursor)[1][frame.record.bundle_position]
    assert c.leaf_hash(frame.record, bundle.signature) == answers[0].accepted.leaf_hash


@check
def a_retry_in_another_grouping_brings_the_same_receipts(c):
    device = c.botkyrka
    base = device.looking_at(get(c).basis)
    (one,) = device.author(base, cost_change(c, 7_800_000, "78 000 kr"))
    first = device.push([one])[0].accepted
    (two,) = device.author(base, cost_change(c, 7_900_000, "79 000 kr"))
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
    refused(c, c.botkyrka, [event], bundle, "BAD_SIGNATURE")
    changed = c.botkyrka.sign([event])
    changed.events[0].body += b"\x78\x00"  # must_understand: false, spelled out; the same message in other bytes.
    refused(c, c.botkyrka, [event], changed, "BAD_SIGNATURE")


@check
def a_device_that_nobody_enrolled_is_refused(c):
    stranger = c.Device(c.PROGRAM, "botkyrka")
    events = stranger.author(stranger.looking_at(get(c).basis), cost_change(c, 1, "1"))
    refused(c, stranger, events, stranger.sign(events), "DEVICE_NOT_ENROLLED")


@check
def a_device_cannot_sign_in_the_name_of_another(c):
    stranger = c.Device(c.PROGRAM, "botkyrka")
    stranger.id, stranger.member = c.botkyrka.id, c.botkyrka.member
    stranger.seq, stranger.prev = c.botkyrka.seq, c.botkyrka.prev
    events = stranger.author(stranger.looking_at(get(c).basis), cost_change(c, 1, "1"))
    refused(c, stranger, events, stranger.sign(events), "BAD_SIGNATURE")


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
        refused(c, c.botkyrka, [event], bundle, "VALUE_MISMATCH")


@check
def a_base_that_nobody_can_have_seen_is_refused(c):
    base = c.botkyrka.looking_at(get(c).basis)
    base.position += 1
    events = c.botkyrka.author(base, cost_change(c, 1, "1"))
    refused(c, c.botkyrka, events, c.botkyrka.sign(events), "BASE_AHEAD")


@check
def a_view_with_an_own_event_but_not_what_that_had_seen_is_refused(c):
    base = c.botkyrka.looking_at(get(c).basis)
    base.position = 1
    events = c.botkyrka.author(base, cost_change(c, 1, "1"))
    refused(c, c.botkyrka, events, c.botkyrka.sign(events), "VIEW_NOT_CLOSED")


@check
def half_a_group_is_refused(c):
    changes = [cost_change(c, 1, "1"), cost_change(c, 2, "2")]
    events = c.botkyrka.author(c.botkyrka.looking_at(get(c).basis), *changes)
    refused(c, c.botkyrka, events, c.botkyrka.sign(events[:1]), "GROUP_INCOMPLETE")


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
    device, before = c.botkyrka, head(c)
    never_written = c.event_pb2.Expectation(entity_id=uuid.UUID(c.ACTIVITY).bytes, field={"field": c.change_pb2.FIELD_COST})
    events = device.author(device.looking_at(get(c).basis), cost_change(c, 1, "1"), expect=[never_written])
    (answer,) = device.push(events)
    rejected = answer.rejected
    assert (rejected.reason, rejected.position, len(rejected.current_sides)) == ("STALE", before + 1, 1), answer
    (again,) = device.push(events)
    assert (again.duplicate.rejected.reason, again.duplicate.rejected.position) == ("STALE", rejected.position), again
    (line,) = c.audit.ListLog(c.audit_pb2.ListLogRequest(program_id=c.PROGRAM, page_size=500)).lines[before:]
    assert line.rejected and line.rejection == "STALE" and not line.kind
    (after,) = device.push(device.author(device.looking_at(get(c).basis), cost_change(c, 8_000_000, "80 000 kr")))
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


# The run ------------------------------------------------------------------------------------------------------------------------------


def main(write):
    for binary in (RADSLAGD, RADSLAG):
        if not os.access(binary, os.X_OK):
            sys.exit(f"error: there is no {binary}\n\nhint: build it with `cargo build --bin radslagd --bin radslag`")
    page = PAGE.read_text("utf-8")
    passed, failed, client, answers = 0, [], {}, []

    def attempt(name, work):
        nonlocal passed
        try:
            work()
            passed += 1
        except Exception:
            failed.append(name)
            print(f"FAILED: {name}\n{traceback.format_exc()}")

    def page_block(block):
        printed = run_block(page, block, client)
        answers.append(with_answer(block, printed))
        if not write:
            shown = block["answer"] or ""
            assert settled(printed) == settled(shown), f"it prints\n{printed}\nand the page says\n{shown}"

    with tempfile.TemporaryDirectory(prefix="radslag-client-") as name, server(pathlib.Path(name)) as address:
        prepare(pathlib.Path(name), page)
        create_programme(pathlib.Path(name), page, address)
        os.environ["RADSLAG_SERVER"] = address
        for block in BLOCK.finditer(page):
            attempt(block_name(page, block), lambda: page_block(block))
        if not failed:
            for one in CHECKS:
                attempt(one.__name__.replace("_", " "), lambda: one(types.SimpleNamespace(**client)))
        if "channel" in client:
            client["channel"].close()
    if write and not failed:
        shown = iter(answers)
        PAGE.write_text(BLOCK.sub(lambda _: next(shown), page), "utf-8")
    print(f"{passed} passed, {len(failed)} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--write"]))
