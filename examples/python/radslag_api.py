"""What the scripts share: the connection, a programme and an activity by name, points in time, pages, and errors in words."""
import argparse
import datetime
import os
import pathlib
import sys
import uuid

try:
    import grpc
    from google.rpc import error_details_pb2, status_pb2
except ImportError as missing:
    sys.exit(f"error: {missing}\n\nhint: pip install -r requirements.txt")

STUBS = pathlib.Path(__file__).resolve().parent / "stubs"
sys.path.insert(0, str(STUBS))
try:
    from radslag.api.v1 import audit_pb2, audit_pb2_grpc, common_pb2, program_pb2, program_pb2_grpc, sync_pb2, sync_pb2_grpc
    from radslag.event.v1 import change_pb2
except ImportError as missing:
    sys.exit(f"error: {missing}\n\nhint: python3 {STUBS.parent / 'make_stubs.py'} makes the stubs")

# The exit codes are those of the command line client.
REFUSED, USAGE, AWAY = 1, 2, 4


class Stop(Exception):
    """Ends a script: what is so, what to do about it, and the exit code."""

    def __init__(self, what, hint=None, code=REFUSED):
        super().__init__(what)
        self.what, self.hint, self.code = what, hint, code


class Server:
    """The connection, which is kept, and the services on it."""

    def __init__(self, address, ca=None):
        self.address = address
        scheme, _, place = address.rpartition("://")
        # Asked for signs of life, so that a network that has gone away is noticed by who only listens.
        options = [("grpc.keepalive_time_ms", 60_000), ("grpc.keepalive_timeout_ms", 20_000)]
        if place.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]"):
            # gRPC would ask the proxy of `http_proxy` even for this machine.
            options.append(("grpc.enable_http_proxy", 0))
        if scheme == "https":
            roots = pathlib.Path(ca).read_bytes() if ca else None
            self.channel = grpc.secure_channel(place, grpc.ssl_channel_credentials(roots), options)
        elif scheme == "http":
            self.channel = grpc.insecure_channel(place, options)
        else:
            raise Stop(f"{address!r} is not an address", "write http://HOST:PORT", USAGE)
        self.programs = program_pb2_grpc.ProgramServiceStub(self.channel)
        self.audit = audit_pb2_grpc.AuditServiceStub(self.channel)
        self.sync = sync_pb2_grpc.SyncServiceStub(self.channel)

    def all_programs(self):
        """Every programme on the server, by title."""
        return list(pages(self.programs.ListPrograms, program_pb2.ListProgramsRequest(), "programs"))

    def find_program(self, wanted):
        """The one programme with this id, beginning of an id, or title; the only one there is where `wanted` is None."""
        listed = self.all_programs()
        found = [one for one in listed if wanted is None or one.program_id.startswith(wanted.lower()) or one.title.casefold() == wanted.casefold()]
        if len(found) == 1:
            return found[0]
        if not listed:
            raise Stop("the server has no programme", "`radslag program create` begins one")
        what = "the server has several programmes" if wanted is None else f"{len(found) or 'no'} programmes are called {wanted!r}"
        raise Stop(what, "--program takes an id or a title:\n  " + "\n  ".join(f"{one.program_id}  {one.title}" for one in listed))

    def get(self, program_id, as_of=None):
        """The programme now or as of a point, and what the answer rests on."""
        return self.programs.GetProgram(program_pb2.GetProgramRequest(program_id=program_id, as_of=as_of))


def pages(call, request, items):
    """Every item of every page. All pages show the log as it was at the first."""
    while True:
        page = call(request)
        yield from getattr(page, items)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return


def point(text, effective_on=None):
    """An AsOf: `@95` is a position, `2019-04-10` the end of a day in Sweden, `2019-04-10T12:00:00+02:00` an instant; None is now."""
    as_of = common_pb2.AsOf(effective_on=effective_on or "")
    if text is None:
        return as_of
    try:
        if text.startswith("@"):
            as_of.position = int(text[1:])
        elif "T" in text:
            instant = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
            if instant.tzinfo is None:
                raise ValueError("an instant needs its offset")
            as_of.instant.FromDatetime(instant)
        else:
            as_of.local_date = datetime.date.fromisoformat(text).isoformat()
    except ValueError as why:
        raise Stop(f"{text!r} is not a point in time: {why}", "write @95, 2019-04-10 or 2019-04-10T12:00:00+02:00", USAGE) from None
    return as_of


def activities(program):
    """(area, sub-goal, activity), in the programme's order."""
    for area in program.areas:
        for subgoal in area.subgoals:
            for activity in subgoal.activities:
                yield area, subgoal, activity


def find(things, wanted, what, id_of):
    """The one thing with this id or title, or whose title alone contains the text."""
    by_id = [one for one in things if id_of(one) == wanted.lower()]
    same = [one for one in things if one.title.casefold() == wanted.casefold()]
    found = by_id or same or [one for one in things if wanted.casefold() in one.title.casefold()]
    if len(found) == 1:
        return found[0]
    hint = "these are:\n  " + "\n  ".join(f"{id_of(one)}  {one.title}" for one in found) if found else None
    raise Stop(f"{len(found) or 'no'} {what} match {wanted!r}", hint)


def cost_text(activity):
    """What an activity costs, as it was written; empty where nothing is known."""
    return activity.cost.raw if activity.HasField("cost") else ""


def reason_of(error):
    """The reason of a failed call, and what is wrong with which field of the request."""
    status = status_pb2.Status.FromString(dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b""))
    reason, wrong = None, []
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        if detail.Unpack(info) and info.domain == "radslag":
            reason = info.reason
        elif detail.Unpack(bad):
            wrong += [f"{violation.field}: {violation.description}" for violation in bad.field_violations]
    return reason, wrong


def in_words(error, address):
    """A failed call as a Stop, with the server's own words and its reason."""
    reason, wrong = reason_of(error)
    if reason is None and error.code() == grpc.StatusCode.UNAVAILABLE:
        return Stop(f"nothing answers at {address}", "is the server up? --server or RADSLAG_SERVER says where it is", AWAY)
    named = f"{reason}: " if reason else f"{error.code().name}: "
    what = "\n  ".join([f"{named}{error.details()}", *wrong])
    away = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    return Stop(what, f"docs/errors/{reason}.md says more" if reason else None, AWAY if away else REFUSED)


def parser(description):
    """Command line arguments, with those that every script takes."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--server", default=os.environ.get("RADSLAG_SERVER", "http://127.0.0.1:7420"), help="its address (default: RADSLAG_SERVER, else %(default)s)")
    made.add_argument("--ca", metavar="FILE", help="for https: the certificate, PEM, that the server's is checked with (default: the system's)")
    return made


def with_program(made):
    """Adds --program."""
    made.add_argument("--program", metavar="ID|TITLE", help="which one (default: the only one on the server)")
    return made


def run(main, made):
    """Parses, connects, runs `main(server, arguments)` and ends with its words and exit code."""
    arguments = made.parse_args()
    try:
        server = Server(arguments.server, arguments.ca)
        with server.channel:
            sys.exit(main(server, arguments))
    except grpc.RpcError as error:
        stop = in_words(error, arguments.server)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # Nobody reads any more. Python would complain again when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(3)
        stop = Stop(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except Stop as said:
        stop = said
    print(f"error: {stop.what}" + (f"\n\nhint: {stop.hint}" if stop.hint else ""), file=sys.stderr)
    sys.exit(stop.code)


def id_bytes(text):
    """The 16 bytes of an id."""
    return uuid.UUID(text).bytes
