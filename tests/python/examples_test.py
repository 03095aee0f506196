#!/usr/bin/env python3
"""The scripts of examples/python against a real server: every command of its README, in order, and what that cannot show.

They run in a copy, so that nothing is left in the checkout. Takes the server from $RADSLAGD and the command from $RADSLAG, else from target/debug.
"""
import csv
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

from harness import PAGE, PATIENCE, RADSLAG, RADSLAGD, ROOT, create_programme, server

README = "examples/python/README.md"
# Commands of the README that are not run, and why.
NOT_RUN = {
    "cd examples/python": "the test stands in a copy of it",
    "python3 -m venv .venv && . .venv/bin/activate": "the packages are those that the test itself runs with",
    "pip install -r requirements.txt": "the same; what it names is checked instead",
    "cargo build --release --bin radslagd --bin radslag": "the programs were built by whoever runs this",
    'export PATH="$PWD/../../target/release:$PATH"': "the same",
    "radslagd serve --data trial --listen 127.0.0.1:7420 &": "the server is the test's, on a free port",
    "export RADSLAG_SERVER=http://127.0.0.1:7420": "the same",
}


class Desk:
    """A folder with a copy of the scripts, a server, and what they are called with."""

    def __init__(self, folder, address):
        self.address, self.here = address, folder / "examples" / "python"
        shutil.copytree(ROOT / "examples" / "python", self.here, ignore=shutil.ignore_patterns("stubs", ".venv", "__pycache__", "*.json"))
        for name in ("proto", "samples"):
            (folder / name).symlink_to(ROOT / name)
        path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), str(pathlib.Path(RADSLAG).parent), os.environ["PATH"]])
        self.environment = dict(
            os.environ, PATH=path, RADSLAG_HOME=str(folder / "home"), RADSLAG_SERVER=address, PYTHONUTF8="1",
            PYTHONDONTWRITEBYTECODE="1", http_proxy="http://127.0.0.1:1")
        # A proxy that leads nowhere, as on many an office's machine.
        self.environment.pop("no_grpc_proxy", None)

    def shell(self, line):
        return subprocess.run(["bash", "-euc", line], cwd=self.here, env=self.environment, capture_output=True, text=True, timeout=PATIENCE)

    def script(self, name, *arguments, code=0):
        """A script's run, which must end with this code."""
        ran = subprocess.run([sys.executable, f"{name}.py", *arguments], cwd=self.here, env=self.environment, capture_output=True, text=True, timeout=PATIENCE)
        assert ran.returncode == code, f"{name} {arguments} ended with {ran.returncode}, not {code}\n{ran.stdout}{ran.stderr}"
        assert "Traceback" not in ran.stderr, ran.stderr
        return ran

    def started(self, name, *arguments):
        """A script that goes on, and is killed where it hangs."""
        command = [sys.executable, f"{name}.py", *arguments]
        process = subprocess.Popen(command, cwd=self.here, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        impatience = threading.Timer(PATIENCE, process.kill)
        impatience.start()
        return process, impatience


def every_command_of_the_readme_works(desk):
    page = (ROOT / README).read_text("utf-8")
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S) for line in block.splitlines()]
    said = {}
    for line in lines:
        if line not in NOT_RUN:
            ran = desk.shell(line)
            assert ran.returncode == 0, f"{README}: {line}\n{ran.stdout}{ran.stderr}"
            said[line] = ran.stdout + ran.stderr
    gone = [line for line in NOT_RUN if line not in lines]
    assert not gone, f"{README} does not have these any more; take them out of NOT_RUN in tests/python/examples_test.py: {gone}"
    told = said["python3 report.py --to now.csv"]
    assert re.search(r"^rests on @89, for \d{4}-\d\d-\d\d", told, re.M) and "32 activities, 525000.00 kr, 26 without a cost" in told, told
    edits = [answer for line, answer in said.items() if line.startswith("python3 edit.py")]
    assert "recorded at @93" in edits[0] and "conflict" not in edits[0], edits
    assert "recorded at @94" in edits[1] and "conflict" in edits[1], edits
    # The last command of the README shows what came after the cursor, and nothing of it twice.
    last = desk.shell("python3 watch.py --state watch.json --once")
    assert last.returncode == 0 and not last.stdout, last


def the_requirements_name_what_is_imported(_):
    named = set(re.findall(r"^([a-z-]+)>=", (ROOT / "examples/python/requirements.txt").read_text("utf-8"), re.M))
    assert named == {"grpcio", "grpcio-tools", "googleapis-common-protos", "protobuf", "cryptography"}, named


def a_report_has_every_activity_and_its_basis_brings_it_again(desk):
    first = desk.script("report", "--as-of", "@89", "--to", "first.csv").stderr
    day = re.search(r"rests on @89, for (\S+)", first)[1]
    day = day.rstrip(",")
    again = desk.script("report", "--as-of", "@89", "--effective-on", day)
    # Text of a pipe has lost its carriage returns.
    assert again.stdout.encode() == (desk.here / "first.csv").read_bytes().replace(b"\r\n", b"\n")
    with open(desk.here / "first.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sample = (ROOT / "samples" / "sodertorn-2019.tsv").read_text("utf-8")
    assert len(rows) == 32 and all(row["Aktivitet"] in sample for row in rows)
    assert sum(int(row["Kostnad (kr)"] or 0) for row in rows) == 525_000
    desk.script("report", "--excel", "--to", "excel.csv")
    excel = (desk.here / "excel.csv").read_bytes()
    assert excel.startswith("\ufeffOmråde;".encode()) and excel.count(b"\r\n") == 33
    with open(desk.here / "excel.csv", encoding="utf-8-sig", newline="") as file:
        (row,) = [row for row in csv.DictReader(file, delimiter=";") if row["I konflikt"]]
    assert (row["Aktivitet"], row["I konflikt"]) == ("Nyckeltalsdagen", "cost")


def what_is_wrong_is_said_with_the_servers_reason(desk):
    refused = [
        (("report", "--as-of", "@9999"), 1, ["POSITION_AHEAD: position 9999 is after the head", "docs/errors/POSITION_AHEAD.md"]),
        (("report", "--effective-on", "sommaren"), 1, ["INVALID_REQUEST", "as_of.effective_on: is not a date"]),
        (("report", "--as-of", "i fjol"), 2, ["'i fjol' is not a point in time", "2019-04-10T12:00:00+02:00"]),
        (("report", "--program", "Klimat"), 1, ["no programmes are called 'Klimat'", "Södertörns utvecklingsprogram 2013"]),
        (("watch", "--once", "--org", "ingen"), 1, ["INVALID_REQUEST", "filter.org"]),
        (("edit", "a", "--cost", "1"), 1, ["activities match 'a'"]),
        (("edit", "Nyckeltalsdagen"), 2, ["nothing to change"]),
        (("edit", "Nyckeltalsdagen", "--cost", "1", "--device", "nowhere.json"), 1, ["there is no nowhere.json", "enrol.py"]),
        (("enrol", "--org", "botkyrka", "--member", "Bo"), 1, ["device.json is there: Åsa Lind of botkyrka"]),
        (("enrol", "--org", "Ett namn", "--member", "Bo", "--device", "new.json"), 2, ["'Ett namn' is not an organisation's short name"]),
        (("programmes", "--server", "http://127.0.0.1:1"), 4, ["nothing answers at http://127.0.0.1:1"]),
        (("programmes", "--server", "127.0.0.1:7420"), 2, ["is not an address"]),
    ]
    for (name, *arguments), code, words in refused:
        said = desk.script(name, *arguments, code=code).stderr
        assert said.startswith("error: ") and all(word in said for word in words), (name, arguments, said)
    for name in ("make_stubs", "programmes", "report", "watch", "enrol", "edit"):
        assert "--" in desk.script(name, "--help").stdout
    os.chmod(desk.here / "device.json", 0o644)
    assert "others may read the key" in desk.script("edit", "Nyckeltalsdagen", "--cost", "1", code=1).stderr
    os.chmod(desk.here / "device.json", 0o600)


def an_edit_whose_answer_was_lost_lands_once(desk):
    sign_and_send = """
import radslag_api as api
from device import Device, COST
from edit import change_of
server = api.Server(api.os.environ["RADSLAG_SERVER"])
with Device.opened("device.json") as device:
    answer = server.get(device.program)
    activity = api.find([one for _, _, one in api.activities(answer.program)], "Samarbete Almedalen", "activities", lambda one: one.activity_id)
    device.sign(device.author(device.looking_at(answer.basis), [change_of(activity.activity_id, "cost", "7 000")]))
    # The process ends here, with its file as it stands, and the bundle has reached the server.
    bundle = api.sync_pb2.Bundle.FromString(device.pending)
    print(server.sync.Push(api.sync_pb2.PushRequest(bundle=bundle)).answers[0].accepted.position)
"""
    sent = subprocess.run([sys.executable, "-c", sign_and_send], cwd=desk.here, env=desk.environment, capture_output=True, text=True)
    assert sent.returncode == 0, sent.stderr
    at = int(sent.stdout)
    said = desk.script("edit", "Samarbete Almedalen", "--cost", "8 000").stdout
    assert said.splitlines() == [
        "an earlier change had no answer: handed in again", f"recorded at @{at}", "Samarbete Almedalen: cost 7 000 → 8 000", f"recorded at @{at + 1}"], said
    said = desk.script("edit", "Samarbete Almedalen", "--cost", "8 000").stdout
    assert "it says so already, nothing recorded" in said
    # Two fields are one change; what was written is what stands.
    desk.script("edit", "Samarbete Almedalen", "--time", "Augusti", "--comment", "", "--reason", "flyttat")
    desk.script("edit", "Samarbete Almedalen", "--cost", "cirka tusen")
    with open(desk.here / "device.json", encoding="utf-8") as file:
        kept = json.load(file)
    assert kept["seq"] == len(kept["landed"]) and kept["pending"] == "" and kept["landed"][-1][1] == at + 4
    desk.script("report", "--to", "after.csv")
    with open(desk.here / "after.csv", encoding="utf-8", newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["Aktivitet"] == "Samarbete Almedalen"]
    assert (row["Tid"], row["Kommentar"], row["Kostnad (kr)"], row["Kostnad som skriven"]) == ("Augusti", "", "", "cirka tusen")


def a_device_whose_file_was_copied_is_told_so(desk):
    shutil.copy(desk.here / "device.json", desk.here / "copy.json")
    desk.script("edit", "Samarbete Almedalen", "--cost", "9 000")
    said = desk.script("edit", "Samarbete Almedalen", "--cost", "9 500", "--device", "copy.json", code=1).stderr
    assert "device_forked" in said and "enrol a new device" in said, said


def until_noted(desk, position):
    """Returns when the watch has noted that it showed this position. Showing comes first."""
    pause, began = threading.Event(), time.monotonic()
    while json.loads((desk.here / "live.json").read_text())["cursor"]["position"] < position:
        assert time.monotonic() - began < PATIENCE, "the watch does not note what it has shown"
        pause.wait(0.02)


def a_watch_shows_what_lands_outlives_the_server_and_resumes(folder):
    with server(folder) as address:
        create_programme(folder, PAGE.read_text("utf-8"), address)
        desk = Desk(folder, address)
        desk.script("make_stubs")
        desk.script("enrol", "--org", "botkyrka", "--member", "Åsa Lind")
        # The state notes where the log ends, so that the watch has nothing old to show.
        desk.script("watch", "--state", "live.json", "--once")
        watch, impatience = desk.started("watch", "--state", "live.json")
        try:
            desk.script("edit", "Nyckeltalsdagen", "--cost", "50 000 kr", "--reason", "offert")
            line = watch.stdout.readline()
            assert "botkyrka, Åsa Lind  field_revised  Nyckeltalsdagen: cost – → 50 000 kr (offert)" in line, line
        except BaseException:
            impatience.cancel()
            watch.kill()
            raise
    with watch.stdout, watch.stderr:
        try:
            # The server is gone: the watch says so and tries again until it is back.
            gone = watch.stderr.readline()
            assert "again in" in gone, gone
            with server(folder, address.removeprefix("http://")):
                desk.script("edit", "Nyckeltalsdagen", "--cost", "60 000 kr")
                line = watch.stdout.readline()
                assert "cost 50 000 kr → 60 000 kr" in line, line
                until_noted(desk, int(line.split()[0].removeprefix("@")))
                watch.send_signal(signal.SIGINT)
                assert watch.wait() == 130
                # Nothing that was shown comes again, and nothing is missed.
                desk.script("edit", "Nyckeltalsdagen", "--cost", "70 000 kr")
                (line,) = desk.script("watch", "--state", "live.json", "--once").stdout.splitlines()
                assert "60 000 kr → 70 000 kr" in line, line
                other = desk.script("watch", "--state", "live.json", "--once", "--org", "botkyrka", code=1).stderr
                assert "is the state of another stream" in other, other
                whole = desk.script("watch", "--once").stdout.splitlines()
                assert [line.split()[0] for line in whole] == [f"@{position}" for position in range(1, len(whole) + 1)]
        finally:
            impatience.cancel()
            if watch.poll() is None:
                watch.kill()
                watch.wait()


CHECKS = [
    every_command_of_the_readme_works, the_requirements_name_what_is_imported, a_report_has_every_activity_and_its_basis_brings_it_again,
    what_is_wrong_is_said_with_the_servers_reason, an_edit_whose_answer_was_lost_lands_once, a_device_whose_file_was_copied_is_told_so]


def main():
    with tempfile.TemporaryDirectory(prefix="radslag-examples-") as name, server(pathlib.Path(name)) as address:
        desk = Desk(pathlib.Path(name), address)
        for check in CHECKS:
            check(desk)
            print(f"  {check.__name__.replace('_', ' ')}")
    with tempfile.TemporaryDirectory(prefix="radslag-examples-") as name:
        a_watch_shows_what_lands_outlives_the_server_and_resumes(pathlib.Path(name))
        print("  a watch shows what lands, outlives the server, and resumes")
    print(f"{len(CHECKS) + 1} passed")


if __name__ == "__main__":
    for binary in (RADSLAGD, RADSLAG):
        if not os.access(binary, os.X_OK):
            sys.exit(f"error: there is no {binary}\n\nhint: build it with `cargo build --bin radslagd --bin radslag`")
    main()
