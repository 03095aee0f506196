"""What the checks stand on: the blocks of docs/api.md, the protocols compiled, a server in a process of its own."""
import contextlib
import io
import os
import pathlib
import re
import shlex
import subprocess
import sys
import threading

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

BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<answer>.*?)^```\n)?", re.M | re.S)

# What differs from run to run.
VARYING = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z"), "<time>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"[A-Za-z0-9+/]{43,}=*"), "<bytes>"),
    # 16 bytes in base64: an id in a body.
    (re.compile(r'"[A-Za-z0-9+/]{22}=="'), '"<id>"'),
    # Microseconds since 1970.
    (re.compile(r'(?<=_at": ")\d{16}(?=")'), "<time>"),
    (re.compile(r'(?<=_on": ")\d{4}-\d\d-\d\d'), "<date>"),
]


def settled(text):
    """A text without what differs from run to run."""
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text


def command(page, beginning):
    """The one line of the page's shell commands that begins so."""
    lines = [line for line in page.splitlines() if line.startswith(beginning)]
    assert len(lines) == 1, f"the page has {len(lines)} lines that begin with {beginning!r}"
    return lines[0]


def block_name(page, block):
    """What a block is called when it fails."""
    heading = re.findall(r"^#+ (.*)$", page[: block.start()], re.M)[-1]
    line = page[: block.start()].count("\n") + 1
    return f'the block under "{heading}" in line {line} of docs/api.md'


def run_block(page, block, client):
    """What a block prints. It reads and leaves names in `client`."""
    printed = io.StringIO()
    # Padded, so that a traceback names the line of the page.
    code = "\n" * (page[: block.start()].count("\n") + 1) + block["code"]
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(PAGE), "exec"), client)  # The page is ours, and running it is the point.
    return printed.getvalue()


def with_answer(block, printed):
    """A block as it stands on the page, with what it printed."""
    answer = f"\n```text\n{printed}```\n" if printed else ""
    return f"```python\n{block['code']}```\n{answer}"


@contextlib.contextmanager
def server(folder, listen="127.0.0.1:0"):
    """A server on a free port of loopback; its address. It is stopped by its handle, whatever happens."""
    command = [RADSLAGD, "serve", "--data", str(folder / "data"), "--listen", listen, "--log", "warn"]
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
    (folder / "health_v1.proto").write_text(HEALTH)
    for version, name in REFLECTIONS.items():
        (folder / f"{name}.proto").write_text(REFLECTION.replace("VERSION", version))
    compiler = command(page, "python3 -m grpc_tools.protoc").removeprefix("python3")
    of_grpc = "-m grpc_tools.protoc -I . --python_out=stubs --grpc_python_out=stubs *.proto"
    for arguments in (compiler, of_grpc):
        subprocess.run(["bash", "-euc", f"{shlex.quote(sys.executable)} {arguments}"], cwd=folder, check=True)
    sys.path.insert(0, str(folder / "stubs"))


def create_programme(folder, page, address):
    """Runs the page's own command."""
    path = f"{pathlib.Path(RADSLAG).parent}{os.pathsep}{os.environ['PATH']}"
    environment = dict(os.environ, PATH=path, RADSLAG_HOME=str(folder / "home"), RADSLAG_SERVER=address)
    line = command(page, "radslag program create")
    subprocess.run(["bash", "-euc", line], cwd=ROOT, env=environment, check=True, capture_output=True)
