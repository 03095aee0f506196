"""A device: a key, who acts with it, and the end of the chain of what it has written, kept in one file that its owner alone may read.

What is signed is docs/format.md. The file is written before a push and after it: an answer that was lost on the way is asked for again by the next run, and
brings the receipt of the first.
"""
import base64
import contextlib
import hashlib
import json
import os
import secrets
import stat
import struct
import time
import uuid

import radslag_api as api
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from radslag.api.v1 import sync_pb2
from radslag.event.v1 import event_pb2
from radslag.log.v1 import log_pb2

# Slots of docs/format.md.
TITLE, COMMENT, TIME, COST, MEMBER_NAME, REASON, DECISION = 1, 3, 4, 5, 8, 9, 10
KINDS = {field.message_type: field.name for field in event_pb2.EventBody.DESCRIPTOR.oneofs_by_name["change"].fields}
# How often a server that is busy is asked again before the next run has to.
ATTEMPTS = 5


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root(leaves):
    """The Merkle root of RFC 6962 over leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\x01", root(leaves[:half]), root(leaves[half:]))


def uuid7():
    """An event's id: the time in milliseconds, and chance."""
    random = secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return uuid.UUID(int=time.time_ns() // 1_000_000 << 80 | 7 << 76 | random).bytes


def sealed(program, event_id, slot, text):
    """A value and the digest that stands for it in the body."""
    salt = secrets.token_bytes(16)
    digest = sha(b"radslag/value/v1\n", program, event_id, struct.pack(">H16sI", slot, salt, len(text)), text)
    return log_pb2.Value(slot=slot, salt=salt, bytes=text), event_pb2.ValueDigest(slot=slot, digest=digest)


class Device:
    """Made by enrol.py, used by edit.py. Of two processes that use one file the second waits."""

    def __init__(self, path, kept):
        self.path = path
        self.program, self.org, self.name = kept["program"], kept["org"], kept["name"]
        self.id, self.member = uuid.UUID(kept["device"]), uuid.UUID(kept["member"])
        self.key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(kept["key"]))
        self.seq, self.prev = kept["seq"], bytes.fromhex(kept["prev"])
        # (own number, position) of what has landed, ascending: what a view up to a position has of one's own.
        self.landed = [tuple(pair) for pair in kept["landed"]]
        # The bundle that was signed and has no answer yet.
        self.pending = base64.b64decode(kept["pending"])

    @classmethod
    def new(cls, path, program, org, name):
        key = Ed25519PrivateKey.generate().private_bytes_raw().hex()
        return cls(path, {
            "program": program, "org": org, "name": name, "device": str(uuid.uuid4()), "member": str(uuid.uuid4()), "key": key,
            "seq": 0, "prev": bytes(32).hex(), "landed": [], "pending": ""})

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path):
        """The device of a file, which nobody else uses meanwhile."""
        if not os.path.exists(path):
            raise api.Stop(f"there is no {path}", "enrol.py makes a device")
        if os.name == "posix" and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
            raise api.Stop(f"others may read the key in {path}", f"chmod 600 {path}")
        with alone(path):
            try:
                with open(path, encoding="utf-8") as file:
                    device = cls(path, json.load(file))
            except (ValueError, KeyError, TypeError, AttributeError) as why:
                raise api.Stop(f"{path} is not a device's file: {why}", "name another with --device") from None
            yield device

    def save(self):
        """The file whole or not at all, on disk, readable by its owner."""
        kept = {
            "program": self.program, "org": self.org, "name": self.name, "device": str(self.id), "member": str(self.member),
            "key": self.key.private_bytes_raw().hex(), "seq": self.seq, "prev": self.prev.hex(), "landed": self.landed,
            "pending": base64.b64encode(self.pending).decode()}
        beside = f"{self.path}.new"
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(kept, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.path)

    def looking_at(self, basis):
        """What the author has in sight, from the answer that they read: it alone decides what becomes a conflict."""
        own = max((seq for seq, position in self.landed if position <= basis.position), default=0)
        return event_pb2.Base(epoch=uuid.UUID(basis.epoch_id).bytes, position=basis.position, seq=own)

    def author(self, base, changes):
        """Events that go on from the device's last: each change is (message, {slot: bytes}); several are a group, all or nothing."""
        program, seq, prev, group, events = uuid.UUID(self.program).bytes, self.seq, self.prev, uuid.uuid4().bytes, []
        for index, (change, texts) in enumerate(changes):
            event_id, seq = uuid7(), seq + 1
            pairs = [sealed(program, event_id, slot, texts[slot]) for slot in sorted(texts)]
            kind = KINDS[change.DESCRIPTOR]
            body = event_pb2.EventBody(
                event_id=event_id, program_id=program, device_id=self.id.bytes, actor_id=self.member.bytes, org_id=self.org,
                device_seq=seq, prev=prev, base=base, authored_at=time.time_ns() // 1_000, schema_version=1, kind=kind,
                digests=[digest for _, digest in pairs], **{kind: change})
            if len(changes) > 1:
                body.group.MergeFrom(event_pb2.Group(id=group, index=index, size=len(changes)))
            # Encoded once: these bytes are what is signed, kept and sent.
            encoded = body.SerializeToString()
            events.append(sync_pb2.SignedEvent(body=encoded, values=[value for value, _ in pairs]))
            prev = sha(encoded)
        return events

    def sign(self, events):
        """The bundle, noted in the file before anybody is told of it."""
        leaves = [sha(b"\x00\x10", sha(event.body)) for event in events]
        signed = b"radslag/bundle/v1\n" + uuid.UUID(self.program).bytes + self.id.bytes + struct.pack(">I", len(leaves)) + root(leaves)
        bundle = sync_pb2.Bundle(program_id=self.program, device_id=str(self.id), events=events, signature=self.key.sign(signed))
        self.pending = bundle.SerializeToString()
        self.save()

    def push(self, server):
        """Hands in what is pending and gives (event, answer) for each that was answered; a Stop where it has to be tried later or mended."""
        bundle = sync_pb2.Bundle.FromString(self.pending)
        for _ in range(ATTEMPTS):
            answers = server.sync.Push(sync_pb2.PushRequest(bundle=bundle, request_id=str(uuid.uuid4()))).answers
            last = answers[-1]
            if last.WhichOneof("answer") != "retry_later":
                break
            time.sleep(last.retry_later.after_ms / 1000)
        else:
            raise api.Stop("the server is busy; the edit is kept", "run the same again later", api.AWAY)
        answered = list(zip(bundle.events, answers))
        for event, answer in answered:
            self.went(event, answer)
        self.pending = b""
        self.save()
        return answered

    def went(self, event, answer):
        """The chain goes on after what is in the log, accepted or rejected; nothing else has consumed its number."""
        kind = answer.WhichOneof("answer")
        receipt = getattr(answer, kind)
        if kind == "duplicate":
            receipt = getattr(receipt, receipt.WhichOneof("receipt"))
        seq = event_pb2.EventBody.FromString(event.body).device_seq
        if kind in ("accepted", "rejected", "duplicate") and seq > self.seq:
            self.seq, self.prev = seq, sha(event.body)
            self.landed.append((seq, receipt.position))


def outcome(answered):
    """What became of a push, in words; a Stop where something did not land."""
    said = []
    for _, answer in answered:
        kind = answer.WhichOneof("answer")
        receipt = getattr(answer, kind)
        if kind == "duplicate":
            kind = receipt.WhichOneof("receipt")
            receipt = getattr(receipt, kind)
        if kind == "accepted":
            beside = receipt.landing == sync_pb2.LANDING_OPENED_CONFLICT
            said.append(f"recorded at @{receipt.position}" + (", beside another value that you had not seen: a conflict, which somebody settles" if beside else ""))
        elif kind == "rejected":
            raise api.Stop(f"{receipt.reason}: {receipt.detail}", f"the log says so at @{receipt.position}; docs/errors/{receipt.reason}.md says what to do")
        elif kind == "refused":
            raise api.Stop(f"{receipt.reason}: {receipt.detail}", f"nothing was recorded; docs/errors/{receipt.reason}.md says what to do")
        else:
            raise api.Stop(f"the log does not go on from this device's file ({kind})", "the file was copied, or is older than the log: enrol a new device")
    return said


@contextlib.contextmanager
def alone(path):
    """Holds a lock beside the file, where the operating system has one."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(os.open(f"{path}.lock", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
