#!/usr/bin/env python3
"""Writes the programme as of a point in time as CSV, one line for each activity, and on stderr what the answer rests on.

  report.py --to now.csv
  report.py --as-of 2019-04-10 --to april.csv
  report.py --as-of @89 --effective-on 2027-01-01 --excel --to budget.csv

A report of the same basis is the same for ever: `--as-of @POSITION --effective-on DAY` of the basis brings it again.
"""
import csv
import io
import os
import sys

import radslag_api as api

COLUMNS = ["Område", "Huvudmål", "Delmål", "Aktivitet", "Ansvarig", "Tid", "Kostnad (kr)", "Kostnad som skriven", "Kommentar", "I konflikt", "I kraft från", "Id"]


def kronor(activity, comma):
    """The cost in kronor, for a sum in a spreadsheet; empty where there is none or it was not understood."""
    if not activity.cost.HasField("ore"):
        return ""
    whole, ore = divmod(abs(activity.cost.ore), 100)
    sign = "-" if activity.cost.ore < 0 else ""
    return f"{sign}{whole}{comma}{ore:02}" if ore else f"{sign}{whole}"


def row(area, subgoal, activity, comma):
    fields = [api.change_pb2.Field.Name(field).removeprefix("FIELD_").lower() for field in activity.conflicting_fields]
    return [
        area.title, area.goal, subgoal.title, activity.title, activity.responsible_text, activity.time,
        kronor(activity, comma), api.cost_text(activity), activity.comment, " ".join(fields), activity.in_force_from, activity.activity_id]


def table(program, excel):
    """The whole file. Excel in Swedish reads semicolons and a decimal comma, and UTF-8 only after a BOM."""
    text = io.StringIO(newline="")
    lines = csv.writer(text, delimiter=";" if excel else ",", lineterminator="\r\n")
    lines.writerow(COLUMNS)
    for area, subgoal, activity in api.activities(program):
        lines.writerow(row(area, subgoal, activity, "," if excel else "."))
    return text.getvalue().encode("utf-8-sig" if excel else "utf-8")


def write(path, content):
    """The file whole or not at all."""
    beside = f"{path}.new"
    with open(beside, "wb") as file:
        file.write(content)
    os.replace(beside, path)


def main(server, arguments):
    as_of = api.point(arguments.as_of, arguments.effective_on)
    answer = server.get(server.find_program(arguments.program).program_id, as_of)
    content = table(answer.program, arguments.excel)
    if arguments.to:
        write(arguments.to, content)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    cost, basis = answer.program.cost, answer.basis
    least, most = cost.low_ore / 100, cost.high_ore / 100
    total = f"{least:.2f}" if least == most else f"{least:.2f} to {most:.2f} (conflicts)"
    print(f"{cost.activities} activities, {total} kr, {cost.missing} without a cost", file=sys.stderr)
    print(f"rests on @{basis.position}, for {basis.effective_on or 'no day'}" + (", and the question is still open" if basis.open else ""), file=sys.stderr)


if __name__ == "__main__":
    made = api.with_program(api.parser(__doc__))
    made.add_argument("--as-of", metavar="POINT", help="@POSITION, a day, or an instant with its offset (default: now)")
    made.add_argument("--effective-on", metavar="DAY", help="the day that dated values are read for (default: the day of the last record; now, today)")
    made.add_argument("--to", metavar="FILE", help="where to (default: stdout)")
    made.add_argument("--excel", action="store_true", help="semicolons, decimal commas and a BOM, as Excel in Swedish reads them")
    api.run(main, made)
