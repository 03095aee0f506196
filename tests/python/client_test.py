#!/usr/bin/env python3
"""A client that knows docs/format.md, docs/api.md and proto/ alone, against a real server.

The client is the Python of docs/api.md: every block there is run, in order, and must print the answer that stands under it. Then the checks go on with its
functions. `--write` puts the answers of this run onto the page instead of comparing them.

Takes the server from $RADSLAGD and the command from $RADSLAG, else from target/debug.
"""
import os
import pathlib
import sys
import tempfile
import traceback
import types

sys.dont_write_bytecode = True
# gRPC would take loopback through a proxy, too.
os.environ["no_grpc_proxy"] = "127.0.0.1"

from harness import BLOCK, PAGE, RADSLAG, RADSLAGD
from harness import block_name, create_programme, prepare, run_block, server, settled, with_answer


class Run:
    """The blocks and the checks, and how many of them hold."""

    def __init__(self, write):
        self.write, self.page = write, PAGE.read_text("utf-8")
        self.passed, self.failed = 0, 0
        self.client, self.answered = {}, []

    def attempt(self, name, work, *arguments):
        try:
            work(*arguments)
            self.passed += 1
        except Exception:
            self.failed += 1
            print(f"FAILED: {name}\n{traceback.format_exc()}")

    def block(self, block):
        printed = run_block(self.page, block, self.client)
        self.answered.append(with_answer(block, printed))
        shown = block["answer"] or ""
        if not self.write:
            assert settled(printed) == settled(shown), f"it prints\n{printed}\nand the page says\n{shown}"

    def everything(self):
        with tempfile.TemporaryDirectory(prefix="radslag-client-") as name, server(pathlib.Path(name)) as address:
            prepare(pathlib.Path(name), self.page)
            create_programme(pathlib.Path(name), self.page, address)
            os.environ["RADSLAG_SERVER"] = address
            for block in BLOCK.finditer(self.page):
                self.attempt(block_name(self.page, block), self.block, block)
                if self.failed:
                    # What follows uses what this one was to leave.
                    return
            self.checks()
            self.client["channel"].close()

    def checks(self):
        # They use what `prepare` has compiled.
        import helpers, reading, writing  # noqa: F401

        for check in helpers.CHECKS:
            self.attempt(check.__name__.replace("_", " "), check, types.SimpleNamespace(**self.client))


def main(write):
    for binary in (RADSLAGD, RADSLAG):
        if not os.access(binary, os.X_OK):
            sys.exit(f"error: there is no {binary}\n\nhint: build it with `cargo build --bin radslagd --bin radslag`")
    run = Run(write)
    run.attempt("the server starts, serves and ends in order", run.everything)
    if write and not run.failed:
        answered = iter(run.answered)
        PAGE.write_text(BLOCK.sub(lambda _: next(answered), run.page), "utf-8")
    print(f"{run.passed} passed, {run.failed} failed")
    return bool(run.failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--write"]))
