#!/usr/bin/env python3
"""Lists the programmes on a server: id, last position, when that was recorded, title.

  programmes.py --server http://127.0.0.1:7420
"""
import radslag_api as api


def main(server, _):
    for program in server.all_programs():
        recorded = program.recorded_at.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")
        print(f"{program.program_id}  @{program.position}  {recorded}  {program.title}")


if __name__ == "__main__":
    api.run(main, api.parser(__doc__))
