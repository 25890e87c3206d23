"""One side of a comparison of requests: the purchase API of today, as processes of its own, on a version's database."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import psycopg

from harness.compare.calls import CallFailed
from harness.compare.plan import Plan
from harness.compare.request import Client
from harness.compare.side import Side, cpu_ns, opened_proc
from harness.compare.verdict import Measures
from harness.load.service import service
from harness.marketplace.subject import Subject
from harness.words.errors import UsageError

PROCESSES = 1
"""Of each side, with one connection each. More would level out that one lies better in memory than another; but each
takes seconds of processor time until it can answer, and the A/A line tells when it matters."""
WARM = 8
"""Requests of each kind to each process before it is measured: Python and PostgreSQL both learn."""
IDLE_LOOKS_MAX = 200
IDLE_LOOK_S = 0.00002

_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def require_the_api(subject: Subject) -> None:
    """Raises ``UsageError`` for a subject that the purchase API cannot work on."""
    if subject.api_role is None or subject.ids != "uuid":
        raise UsageError(
            "no-api",
            f"the subject {subject.name} has no purchase API to send requests to",
            expected="a subject with an api_role and the functions api_..., as reference has",
        )


class ApiSide(Side):
    """A ``Side`` whose calls are requests. ``gateway`` is where the API opens checkouts.

    Measured are also the processor time of the API's own process (of the thread that serves), and of its backend.
    """

    def __init__(self, name: str, subject: Subject, dsn: str, plan: Plan, *, local: bool, gateway: str) -> None:
        super().__init__(name, subject, dsn, plan, local=local)
        self._gateway = gateway
        self._clients: list[Client] = []
        self._api_clocks: list[int | None] = []
        self._states: list[int | None] = []
        self._backend_clocks: list[int | None] = []

    @property
    def sessions(self) -> int:
        """How many processes there are to choose from for a request."""
        return PROCESSES

    def open(self) -> None:
        """Start the processes, and wait until they answer. Raises ``CouldNotRun``."""
        folder = Path(self._exits.enter_context(TemporaryDirectory(prefix="harness-api-")))
        secret = f"whsec_{secrets.token_hex(16)}"
        for number in range(PROCESSES):
            base, pid = self._exits.enter_context(service(self._environment(secret), folder / f"{number}.log"))
            client = Client(base, secret)
            self._exits.callback(client.close)
            self._clients.append(client)
            self._api_clocks.append(opened_proc(self._exits, pid, "schedstat"))
            self._states.append(opened_proc(self._exits, pid, "stat"))
        if self._local:
            with psycopg.connect(self.dsn, autocommit=True) as connection:
                backends = [pid for (pid,) in connection.execute(_BACKENDS).fetchall()]
            self._backend_clocks = [opened_proc(self._exits, pid, "schedstat") for pid in backends]

    def warm(self, operation: str) -> None:
        """What is done only once is done now. Raises ``CallFailed``."""
        for client in self._clients:
            for _ in range(WARM):
                client.perform(operation, self.next(operation))

    def call(self, operation: str, session: int) -> Measures:
        """The next request: its latency, and processor times of the API and of its backend. Raises ``CallFailed``."""
        asked, client = self.next(operation), self._clients[session]
        api, backend = self._times_ns(session)
        latency = client.perform(operation, asked)
        _wait_until_idle(self._states[session])
        api_after, backend_after = self._times_ns(session)
        return {
            "p50": latency,
            "api_cpu": None if api is None or api_after is None else api_after - api,
            "cpu": None if backend is None or backend_after is None else backend_after - backend,
        }

    def _times_ns(self, session: int) -> tuple[int | None, int | None]:
        """Of the process, and of all backends together: those of the other process are idle."""
        try:
            own = [time for clock in self._backend_clocks if (time := cpu_ns(clock)) is not None]
            return cpu_ns(self._api_clocks[session]), sum(own) if own else None
        except ProcessLookupError as error:
            raise CallFailed("the API, or its backend, has ended") from error

    def _environment(self, secret: str) -> Mapping[str, str]:
        return {
            "MARKETPLACE_DSN": self.dsn,
            "MARKETPLACE_CONNECTIONS": "1",
            "STRIPE_WEBHOOK_SECRET": secret,
            "STRIPE_API_KEY": "sk_test_harness",
            "STRIPE_API_BASE": self._gateway,
            # One order of every set and dictionary in all of them.
            "PYTHONHASHSEED": "0",
        }


def _wait_until_idle(state: int | None) -> None:
    """A process still tidies up when its answer is here, and its clock is read right only when it sleeps."""
    if state is None:
        return
    for _ in range(IDLE_LOOKS_MAX):
        # proc(5): the state is what follows the name, which is in parentheses.
        if os.pread(state, 128, 0).rpartition(b") ")[2][:1] == b"S":
            return
        sleep(IDLE_LOOK_S)
