#!/usr/bin/env python3
"""Shows changes as they land, one line each, and goes on where it stopped when it is started again.

  watch.py --state watch.json
  watch.py --state area.json --area "Utvecklat samordningsbehov"
  watch.py --state nightly.json --once

Without --from the first run begins with the first record. What was shown is noted in the state file after it was shown: after a power cut the last lines may come twice, and none is missed.
"""
import datetime
import json
import os
import random
import sys
import threading

import grpc
import radslag_api as api
from radslag.event.v1 import event_pb2

# Seconds between attempts to connect again, at least and at most.
PATIENCE = (1, 30)
# The epoch that every log begins in.
FIRST_EPOCH = str(api.uuid.UUID(int=0))
# What a change is about, in the order of what says most.
ABOUT = ["entity_id", "activity_id", "subgoal_id", "area_id", "party_id"]


class State:
    """Which stream is followed, and up to where it was shown."""

    def __init__(self, path, stream):
        self.path, self.stream, self.cursor = path, stream, None
        if path and os.path.exists(path):
            try:
                with open(path, encoding="utf-8") as file:
                    kept = json.load(file)
                self.cursor = api.sync_pb2.Cursor(**kept["cursor"])
            except (ValueError, KeyError, TypeError) as why:
                raise api.Stop(f"{path} is not a state of watch.py: {why}", "remove it, or name another file") from None
            if kept["stream"] != stream:
                raise api.Stop(f"{path} is the state of another stream: {kept['stream']}", "name another file")

    def keep(self, cursor):
        self.cursor = cursor
        if self.path:
            kept = {"stream": self.stream, "cursor": {"epoch_id": cursor.epoch_id, "position": cursor.position}}
            with open(f"{self.path}.new", "w", encoding="utf-8") as file:
                json.dump(kept, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(f"{self.path}.new", self.path)


class Titles:
    """What an entity is called. Asked for again when somebody has added one."""

    def __init__(self, server, program_id):
        self.server, self.program_id, self.known = server, program_id, {}

    def of(self, entity_id):
        if entity_id not in self.known:
            program = self.server.get(self.program_id).program
            self.known = {program.program_id: program.title}
            self.known |= {party.party_id: party.name for party in program.parties}
            for area in program.areas:
                self.known[area.area_id] = area.title
                for subgoal in area.subgoals:
                    self.known[subgoal.subgoal_id] = subgoal.title
                    self.known |= {activity.activity_id: activity.title for activity in subgoal.activities}
            # Retired since: it stays nameless here, and is not asked for again.
            self.known.setdefault(entity_id, entity_id)
        return self.known[entity_id]


def shown(value, titles):
    """A value of the history in a few words, on one line."""
    kind = value.WhichOneof("value")
    if kind is None:
        return "–"
    words = {
        "text": lambda: value.text, "money": lambda: value.money.raw, "entity_id": lambda: titles.of(value.entity_id),
        "flag": lambda: "yes" if value.flag else "no", "redacted": lambda: f"(forgotten: {value.redacted})"}
    return " ".join(words[kind]().split())


def fields_of(one, titles):
    """One field that a record changed: its name, before, after."""
    name = api.change_pb2.Field.Name(one.field).removeprefix("FIELD_").lower()
    party = f" {titles.of(one.party_id)}" if one.party_id else ""
    return f"{name}{party} {shown(one.before, titles)} → {shown(one.after, titles)}"


def lines_of(server, program_id, record, titles):
    """What one record did, in words: a line for each field that it changed, or one for all that it added."""
    at = datetime.datetime.fromtimestamp(record.recorded_at // 1_000_000).strftime("%Y-%m-%d %H:%M")
    recorded = f"@{record.position}  {at}"
    if not record.body:
        return [f"{recorded}  (rejected)"]
    body = event_pb2.EventBody.FromString(record.body)
    kind = body.WhichOneof("change") or body.kind
    change = getattr(body, kind, None)
    entity = next((getattr(change, name) for name in ABOUT if hasattr(change, name)), b"")
    if not entity:
        return [f"{recorded}  {body.org_id}  {kind}"]
    entity = str(api.uuid.UUID(bytes=entity))
    request = api.audit_pb2.ListHistoryRequest(program_id=program_id, entity_id=entity)
    changes = [one for one in api.pages(server.audit.ListHistory, request, "changes") if one.position == record.position]
    who = next((f"{one.author.org}, {one.author.member}" for one in changes), body.org_id)
    about = f"{recorded}  {who}  {kind}  {titles.of(entity)}"
    if kind.endswith("_added") or not changes:
        return [about]
    return [
        f"{about}: {fields_of(one, titles)}" + (f" ({one.reason})" if one.reason else "") + ("  CONFLICT" if one.conflict_after else "")
        for one in changes]


def opened_by(record):
    """The epoch that begins with a record, where one does: the log was restored there."""
    body = event_pb2.EventBody.FromString(record.body)
    return str(api.uuid.UUID(bytes=body.epoch_opened.epoch_id)) if body.WhichOneof("change") == "epoch_opened" else None


def follow(server, request, state, show):
    """One connection, until it ends. Raises LookupError when the log does not go on from the cursor."""
    if state.cursor is not None:
        request.after.CopyFrom(state.cursor)
    epoch = state.cursor.epoch_id if state.cursor else FIRST_EPOCH
    for answer in server.sync.Subscribe(request):
        frame = answer.WhichOneof("frame")
        if frame == "must_refetch":
            raise LookupError(answer.must_refetch)
        if frame == "events":
            for entry in answer.events.records:
                show(entry.record)
                epoch = opened_by(entry.record) or epoch
        # A filtered stream says how far it has looked; one of everything has looked as far as its last record.
        if answer.HasField("covered_to"):
            state.keep(answer.covered_to)
        elif frame == "events":
            state.keep(api.sync_pb2.Cursor(epoch_id=epoch, position=answer.events.records[-1].record.position))
        elif frame == "caught_up":
            state.keep(answer.caught_up.head)


def start_over(told, server):
    """Where to go on in a log that was restored; a Stop where nobody can say."""
    if told.reason == "FOREIGN_EPOCH" and told.HasField("common"):
        print(f"the log was restored after @{told.common.position}; what follows is the log from there", file=sys.stderr)
        return told.common
    raise api.Stop(f"{told.reason}: the log of {server.address} does not go on from where this state is", f"docs/errors/{told.reason}.md says more")


def main(server, arguments):
    program = server.find_program(arguments.program)
    request = api.sync_pb2.SubscribeRequest(program_id=program.program_id, until_caught_up=arguments.once)
    if arguments.area:
        areas = server.get(program.program_id).program.areas
        request.filter.area_id = api.find(areas, arguments.area, "areas", lambda area: area.area_id).area_id
    if arguments.org:
        request.filter.org = arguments.org
    stream = {"program": program.program_id, "area": request.filter.area_id, "org": request.filter.org}
    state = State(arguments.state, stream)
    if state.cursor is None and arguments.since is not None:
        basis = server.get(program.program_id, api.point(arguments.since)).basis
        state.keep(api.sync_pb2.Cursor(epoch_id=basis.epoch_id, position=basis.position))
    titles = Titles(server, program.program_id)

    def show(record):
        print(*lines_of(server, program.program_id, record, titles), sep="\n", flush=True)

    wait, never = PATIENCE[0], threading.Event()
    while True:
        before = state.cursor.position if state.cursor else 0
        try:
            follow(server, request, state, show)
            if arguments.once:
                return None
        except LookupError as told:
            (told,) = told.args
            state.keep(start_over(told, server))
            never.wait(told.backoff_ms / 1000 * (1 + random.random()))
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED) or arguments.once:
                raise
            wait = PATIENCE[0] if state.cursor and state.cursor.position > before else min(wait * 2, PATIENCE[1])
            print(f"{api.in_words(error, server.address).what}; again in {wait} s", file=sys.stderr, flush=True)
            never.wait(wait * (0.5 + random.random() / 2))


if __name__ == "__main__":
    made = api.with_program(api.parser(__doc__))
    made.add_argument("--state", metavar="FILE", help="notes up to where changes were shown (default: nowhere)")
    made.add_argument("--from", dest="since", metavar="POINT", help="where the first run begins: after @POSITION, a day, an instant")
    made.add_argument("--area", metavar="TITLE|ID", help="only what happens in this area")
    made.add_argument("--org", help="only what this organisation writes, by its short name")
    made.add_argument("--once", action="store_true", help="end when everything that is there has been shown")
    api.run(main, made)
