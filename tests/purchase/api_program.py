"""Run as a program: a process of the API for each ``start`` on the standard input, always on the same port.

They are forked from a process that has imported and warmed up everything, so that a test can kill as many as it likes.
Answers, a line each: the port at first; the process id for ``start``; the wait status for ``wait PID``. All end with
the standard input.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from harness.purchase import __main__ as api
from harness.purchase.process import application
from harness.purchase.settings import ProcessSettings


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    application(ProcessSettings.of())
    say(port)
    children = set[int]()
    for line in sys.stdin:
        what, _, about = line.strip().partition(" ")
        if what == "start":
            pid = os.fork()
            if pid == 0:
                devnull = os.open(os.devnull, os.O_RDWR)
                for descriptor in (0, 1):
                    os.dup2(devnull, descriptor)
                os._exit(api.main(["--port", str(port)]))
            children.add(pid)
            say(pid)
        elif what == "wait":
            pid, status = os.waitpid(int(about), 0)
            children.discard(pid)
            say(status)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
