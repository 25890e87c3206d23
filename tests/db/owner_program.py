"""A program that owns a server, says where it is, and ends as it is told: ``owner_program.py BASE ENDING``.

The tests run it as a process of its own and kill it. It lives as long as its standard input says.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from harness.db.binaries import choose_binaries
from harness.db.server import Server


def main() -> None:
    base, ending = sys.argv[1:]
    print("begin", flush=True)
    with Server(choose_binaries("auto"), directory=Path(base)) as server:
        facts = {
            "directory": str(server.socket_directory),
            "postmaster": server.pid,
            "supervisor": server.supervised.pid,
        }
        print(json.dumps(facts), flush=True)
        if ending == "fork" and os.fork() == 0:
            # The child has our end of the pipe to the supervisor too, and keeps it open until our parent is done.
            print(json.dumps({"child": os.getpid()}), flush=True)
            sys.stdin.read()
            os._exit(0)
        sys.stdin.readline()
        if ending == "exception":
            raise RuntimeError("planted")
        if ending == "exit":
            sys.exit(7)
        if ending == "_exit":
            os._exit(8)


if __name__ == "__main__":
    main()
