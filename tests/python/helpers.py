"""What the checks share. In all of them `c` holds the names that the blocks of docs/api.md left."""
import grpc

from harness import ROOT

CHECKS = []


def check(function):
    """Notes a check. Its name is what it shows; it is given the names that the page left."""
    CHECKS.append(function)
    return function


def called(call, request):
    """The error of a call that fails."""
    try:
        call(request)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call did not fail")


def get(c, **when):
    """The programme, now or as of a point."""
    as_of = c.common_pb2.AsOf(**when) if when else None
    return c.programs.GetProgram(c.program_pb2.GetProgramRequest(program_id=c.PROGRAM, as_of=as_of))


def head(c):
    """Where the log ends."""
    return c.sync.Hello(c.sync_pb2.HelloRequest(program_id=c.PROGRAM)).head.position


def cost_change(c, ore, raw, **texts):
    """A change of the cost of the activity, with texts such as a reason."""
    values = {c.COST: c.cost_of(ore, raw)} | {getattr(c, name.upper()): text.encode() for name, text in texts.items()}
    return c.revised, values


def edit(c, device, ore, raw, **envelope):
    """A new cost by somebody who sees all that there is; the events and the answer."""
    events = device.author(device.looking_at(get(c).basis), cost_change(c, ore, raw), **envelope)
    (answer,) = device.push(events)
    return events, answer


def refused(c, bundle, reason):
    """A push that is refused for this reason, and leaves no trace."""
    before, state = head(c), get(c).program.state_hash
    answer = c.sync.Push(c.sync_pb2.PushRequest(bundle=bundle))
    kinds = [one.WhichOneof("answer") for one in answer.answers]
    assert kinds == ["refused"], answer
    assert answer.answers[0].refused.reason == reason, answer
    assert (ROOT / "docs" / "errors" / f"{reason}.md").is_file(), f"docs/errors lacks {reason}"
    assert (head(c), get(c).program.state_hash) == (before, state), "a refusal left a trace"
