"""Processes of the API on real sockets, to be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

from harness.gateway.carrier import Sockets, UnansweredError
from tests.purchase.shop import Workspace

START_SECONDS_MAX = 60


class Processes:
    """One API at a time, always at the same ``base``."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program
        self.base = f"http://127.0.0.1:{self._read()}"
        self.pid = 0

    def start(self) -> None:
        self.pid = self._ask("start")

    def wait_until_healthy(self) -> None:
        """It answers, having connected to its database."""
        deadline = monotonic() + START_SECONDS_MAX
        while True:
            try:
                with urlopen(f"{self.base}/health", timeout=START_SECONDS_MAX) as answer:
                    assert answer.status == 200
                    return
            except OSError:
                assert monotonic() < deadline
                sleep(0.01)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit code of the one that was started last; negative for a signal."""
        return os.waitstatus_to_exitcode(self._ask(f"wait {self.pid}"))

    def kill(self) -> None:
        """At once, with everything in flight."""
        self.signal(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL

    def _ask(self, what: str) -> int:
        assert self._program.stdin is not None
        self._program.stdin.write(f"{what}\n")
        self._program.stdin.flush()
        return self._read()

    def _read(self) -> int:
        assert self._program.stdout is not None
        return int(self._program.stdout.readline())


@contextmanager
def api_processes(dsn: str, webhook_secret: str, stripe_base: str, grace_s: float) -> Iterator[Processes]:
    """The program that starts them; its end is theirs. Each has so long to end when it is asked to."""
    environment = {
        **os.environ,
        "MARKETPLACE_DSN": dsn,
        "STRIPE_WEBHOOK_SECRET": webhook_secret,
        "STRIPE_API_KEY": "sk_test_of_these_tests",
        "STRIPE_API_BASE": stripe_base,
        "MARKETPLACE_SHUTDOWN_S": str(grace_s),
    }
    command = [sys.executable, "-m", "tests.purchase.api_program"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            yield Processes(program)
        finally:
            assert program.stdin is not None
            program.stdin.close()
            program.wait(20)


@dataclass(frozen=True, slots=True)
class Told:
    """What a client was told; a status of None is no answer at all."""

    status: int | None
    body: Any = None

    @property
    def definite(self) -> bool:
        """Who was told this need not ask again."""
        return self.status is not None and self.status < 500 and self.code != "key_in_progress"

    @property
    def code(self) -> str | None:
        return self.body.get("error") if isinstance(self.body, dict) else None


class Client:
    """Sends requests over sockets, as many at a time as are awaited."""

    def __init__(self, base: str) -> None:
        self._base = base
        self.sockets = Sockets()

    async def post(self, path: str, body: Mapping[str, Any], who: Workspace | None = None) -> Told:
        headers = {"content-type": "application/json", **(who.headers if who else {})}
        url = path if path.startswith("http://") else self._base + path
        try:
            status, text = await self.sockets.carry(url, headers, json.dumps(body).encode())
        except UnansweredError:
            return Told(None)
        return Told(status, json.loads(text))
