#!/usr/bin/env python3
"""Makes a device of this machine, so that edit.py can sign: a key and a file of its own, and the enrolment in the log.

  enrol.py --org botkyrka --member "Åsa Lind" --device device.json

A server takes it only while it listens on loopback (Hello.open_enrolment). The file has the key: one machine, one file.
"""
import os
import re

import radslag_api as api
from device import MEMBER_NAME, Device, outcome


def main(server, arguments):
    if not re.fullmatch(r"[a-z0-9-]{1,40}", arguments.org):
        raise api.Stop(f"{arguments.org!r} is not an organisation's short name", "1 to 40 of a to z, 0 to 9 and -", api.USAGE)
    if os.path.exists(arguments.device):
        # An enrolment whose answer was lost has its file already.
        with Device.opened(arguments.device) as device:
            if not device.pending:
                raise api.Stop(f"{arguments.device} is there: {device.name} of {device.org}", "name another with --device")
            return finish(server, device)
    program = server.find_program(arguments.program).program_id
    if not server.sync.Hello(api.sync_pb2.HelloRequest(program_id=program)).open_enrolment:
        raise api.Stop("ENROLMENT_CLOSED: the server takes no device that enrols itself", "docs/errors/ENROLMENT_CLOSED.md says more")
    device = Device.new(arguments.device, program, arguments.org, arguments.member)
    change = api.change_pb2
    enrolled = change.DeviceEnrolled(
        device_id=device.id.bytes, public_key=device.key.public_key().public_bytes_raw(), member_id=device.member.bytes, org_id=device.org,
        authority=change.AUTHORITY_OPEN)
    base = device.looking_at(server.get(program).basis)
    # In this order, and all or nothing. An organisation that takes part already may be admitted again.
    device.sign(device.author(base, [
        (enrolled, {}),
        (change.OrganisationAdmitted(org_id=device.org), {}),
        (change.MemberAdmitted(member_id=device.member.bytes, org_id=device.org), {MEMBER_NAME: device.name.encode()})]))
    return finish(server, device)


def finish(server, device):
    try:
        outcome(device.push(server))
    except api.Stop:
        # Nothing of it is in the log, and a device that is not enrolled is of no use.
        if not device.pending and not device.landed:
            os.remove(device.path)
        raise
    print(f"{device.path}: {device.name} of {device.org}, enrolled at @{device.landed[0][1]}")


if __name__ == "__main__":
    made = api.with_program(api.parser(__doc__))
    made.add_argument("--org", required=True, help="the organisation's short name: a to z, 0 to 9 and -")
    made.add_argument("--member", required=True, metavar="NAME", help="who uses this device")
    made.add_argument("--device", default="device.json", metavar="FILE", help="the file that it is kept in (default: %(default)s)")
    api.run(main, made)
