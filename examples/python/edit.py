#!/usr/bin/env python3
"""Changes an activity: shows what stands there, signs what is new, and hands it in.

  edit.py Nyckeltalsdagen --cost "50 000 kr" --reason offert
  edit.py Nyckeltalsdagen --time "hösten 2027" --comment "" --seen @89 --decision KS-2026/123

Several fields are one change, all or nothing. An empty text empties the field. Whoever writes from a report says with --seen what that rested on: what
was changed since then becomes a conflict, and is not overwritten.
"""
import decimal
import re

import radslag_api as api
from device import COMMENT, COST, DECISION, REASON, TIME, TITLE, Device, outcome

FIELDS = {
    "title": (api.change_pb2.FIELD_TITLE, TITLE), "time": (api.change_pb2.FIELD_TIME, TIME),
    "cost": (api.change_pb2.FIELD_COST, COST), "comment": (api.change_pb2.FIELD_COMMENT, COMMENT)}


def cost_bytes(raw):
    """A cost in the bytes of docs/format.md. A text that is not an amount in kronor is kept as it is, and counts for nothing."""
    plain = re.fullmatch(r"(\d+|\d{1,3}(?:[ \u00a0\u202f.]\d{3})+)(?:,(\d{2}))?(?: ?(?:kr|SEK|kronor))?", raw.strip())
    if plain is None:
        return f"?\n{raw}".encode(), None
    ore = int(re.sub(r"\D", "", plain[1])) * 100 + int(plain[2] or 0)
    return f"{ore} SEK\n{raw}".encode(), decimal.Decimal(ore) / 100


def change_of(activity_id, name, text):
    """One field's change, and the value beside it."""
    field, slot = FIELDS[name]
    change = api.change_pb2.FieldRevised(entity_id=api.id_bytes(activity_id), field=field)
    if not text:
        change.value.cleared.SetInParent()
        return change, {}
    change.value.sealed.SetInParent()
    return change, {slot: cost_bytes(text)[0] if name == "cost" else text.encode()}


def stands(activity, name):
    return api.cost_text(activity) if name == "cost" else getattr(activity, name)


def main(server, arguments):
    edits = {name: getattr(arguments, name) for name in FIELDS if getattr(arguments, name) is not None}
    if not edits:
        raise api.Stop("nothing to change", "give one of " + ", ".join(f"--{name}" for name in FIELDS), api.USAGE)
    if edits.get("title") == "":
        raise api.Stop("an activity has a title", "give one", api.USAGE)
    with Device.opened(arguments.device) as device:
        if device.pending:
            print("an earlier change had no answer: handed in again")
            print(*outcome(device.push(server)), sep="\n")
        answer = server.get(device.program, api.point(arguments.seen))
        activity = api.find([one for _, _, one in api.activities(answer.program)], arguments.activity, "activities", lambda one: one.activity_id)
        edits = {name: text for name, text in edits.items() if text != stands(activity, name)}
        for name, text in edits.items():
            print(f"{activity.title}: {name} {stands(activity, name) or '–'} → {text or '–'}")
        if not edits:
            print(f"{activity.title}: it says so already, nothing recorded")
            return
        if edits.get("cost") and cost_bytes(edits["cost"])[1] is None:
            print(f"note: {edits['cost']!r} is kept as a text, and is in no sum")
        beside = {slot: text.encode() for slot, text in ((REASON, arguments.reason), (DECISION, arguments.decision)) if text}
        changes = [change_of(activity.activity_id, name, text) for name, text in edits.items()]
        device.sign(device.author(device.looking_at(answer.basis), [(change, texts | beside) for change, texts in changes]))
        print(*outcome(device.push(server)), sep="\n")


if __name__ == "__main__":
    made = api.parser(__doc__)
    made.add_argument("activity", metavar="ACTIVITY", help="its title, a part of it that no other has, or its id")
    for name in FIELDS:
        made.add_argument(f"--{name}", metavar="TEXT", help=f"the new {name}")
    made.add_argument("--reason", metavar="TEXT", help="why")
    made.add_argument("--decision", metavar="NUMBER", help="the registry number of the decision")
    made.add_argument("--seen", metavar="POINT", help="what you were looking at: @POSITION of a report (default: what stands now)")
    made.add_argument("--device", default="device.json", metavar="FILE", help="the file that enrol.py made (default: %(default)s)")
    api.run(main, made)
