"""Worker processes of the API that share one socket, for whoever starts them; standard library only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from harness.purchase.settings import SHARED

MORE_S = 5.0
"""How much longer than it was given for its requests a worker may take to end."""


class DidNotStart(Exception):
    """A worker ended, or did not answer; what it says is on its standard error."""


class Workers:
    """Processes that serve at ``url``."""

    def __init__(self, url: str, children: list[subprocess.Popen[bytes]]) -> None:
        self.url = url
        self._children = children

    @property
    def pids(self) -> list[int]:
        return [child.pid for child in self._children]

    def ended(self) -> int | None:
        """The exit code of a worker that has ended by itself; None while all of them run."""
        codes = [child.poll() for child in self._children]
        return next((code for code in codes if code is not None), None)


@contextmanager
def serving(
    environment: Mapping[str, str],
    *,
    port: int = 0,
    count: int = 1,
    shutdown_s: float = 10.0,
    start_s: float = 30.0,
) -> Iterator[Workers]:
    """So many workers on 127.0.0.1 with these variables over our own environment. They end with the block, or with us.

    ``port`` 0 is any that is free. On the way out requests in flight have ``shutdown_s``. Raises ``OSError`` for a port
    that cannot be had, ``DidNotStart``.
    """
    with ExitStack() as exits:
        listening = exits.enter_context(socket.create_server(("127.0.0.1", port), backlog=1024))
        command = [sys.executable, "-m", "harness.purchase", "--until-stdin-closes", "--fd", str(listening.fileno())]
        variables = {**os.environ, **environment, "MARKETPLACE_SHUTDOWN_S": str(shutdown_s)}
        # One that we were started with is somebody else's, with figures that are not ours.
        variables.pop(SHARED, None)
        if count > 1:
            # Through it their figures are added up, whichever of them is asked.
            variables[SHARED] = exits.enter_context(TemporaryDirectory(prefix="marketplace-"))
        children: list[subprocess.Popen[bytes]] = []
        exits.callback(end, children, shutdown_s + MORE_S)
        for _ in range(count):
            child = subprocess.Popen(
                command,
                env=variables,
                stdin=subprocess.PIPE,
                pass_fds=[listening.fileno()],
                # Ctrl-C is for whoever started us; we tell our workers in our own time.
                start_new_session=True,
            )
            children.append(child)
        host, bound = listening.getsockname()
        workers = Workers(f"http://{host}:{bound}", children)
        wait_until_healthy(workers, bound, start_s)
        # The workers have the socket; when they have all gone, nobody must be kept waiting in its queue.
        listening.close()
        yield workers


def wait_until_healthy(workers: Workers, port: int, seconds_max: float) -> None:
    """Raises ``DidNotStart`` when they do not answer in time, or one ends."""
    deadline = monotonic() + seconds_max
    while monotonic() < deadline:
        if (code := workers.ended()) is not None:
            raise DidNotStart(f"the API ended with {code}")
        connection = HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            sleep(0.02)
        finally:
            connection.close()
    raise DidNotStart(f"the API did not answer within {seconds_max:g} s")


def end(children: list[subprocess.Popen[bytes]], seconds_max: float) -> None:
    """SIGTERM to all, and SIGKILL to those that take longer than that."""
    deadline = monotonic() + seconds_max
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    for child in children:
        try:
            child.wait(max(0.0, deadline - monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()
