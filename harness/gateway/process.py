"""The gateway as a child process, and its controls for who started it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from harness.gateway.books import Means

_END_SECONDS_MAX = 10


class Remote:
    """The controls of a gateway at ``base``. Raises ``httpx.HTTPStatusError`` for what it refuses."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._client = httpx.Client(base_url=base, trust_env=False, timeout=120)

    def close(self) -> None:
        self._client.close()

    def configure(self, **settings: Any) -> dict[str, Any]:
        """``url``, ``secrets`` (newest first) and ``mischief``, as far as they are to change."""
        return self._post("/settings", settings)

    def pay(self, session: str, mode: str = Means.IMMEDIATE, after_ms: int = 0) -> dict[str, Any]:
        """The customer pays a session, named by its id or by the url where it is paid."""
        return self._post(f"/pay/{session.rpartition('/')[2]}", {"mode": mode, "after_ms": after_ms})

    def expire(self, session: str) -> dict[str, Any]:
        """A session ends without a payment."""
        return self._post(f"/expire/{session.rpartition('/')[2]}")

    def hold(self) -> None:
        """Let nothing out until ``release``."""
        self._post("/hold")

    def release(self, order: str = "made") -> int:
        """How many were let out: in the order they were ``made``, ``reversed`` or ``shuffled``."""
        return int(self._post("/release", {"order": order})["released"])

    def resend(self, event: str, times: int = 1) -> None:
        """Deliver an event so many times more, all at the same moment."""
        self._post(f"/resend/{event}", {"times": times})

    def tell(self, kind: str, thing: Mapping[str, Any]) -> str:
        """An event of any type about anything, well signed; its id."""
        return str(self._post("/tell", {"type": kind, "object": thing})["id"])

    def events(self) -> list[dict[str, Any]]:
        """Every event, the oldest first, as it was sent."""
        return list(self._client.get("/events").raise_for_status().json())

    def deliveries(self, since: int = 0) -> list[dict[str, Any]]:
        """Every delivery from this number on, with its attempts."""
        return list(self._client.get("/deliveries", params={"since": since}).raise_for_status().json())

    def drain(self, seconds_max: float = 30.0) -> list[dict[str, Any]]:
        """Wait until everything is acknowledged or given up, at most so long; what is outstanding then."""
        answer = self._client.post("/drain", params={"seconds": seconds_max}, timeout=seconds_max + 30)
        if answer.status_code != 504:
            answer.raise_for_status()
        return list(answer.json()["outstanding"])

    def _post(self, path: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return dict(self._client.post(path, json=dict(document or {})).raise_for_status().json())


@contextmanager
def gateway_process(
    url: str | None = None, secret: str = "", *, port: int = 0, mischief: Mapping[str, Any] | None = None
) -> Iterator[Remote]:
    """A gateway that delivers to ``url``, signed with ``secret``. It ends with the block, or with this process.

    Raises ``RuntimeError`` when it does not start; what it says on its standard error is shown as it is.
    """
    command = [sys.executable, "-m", "harness.gateway", "--until-stdin-closes", "--port", str(port)]
    command += ["--mischief", json.dumps(dict(mischief or {})), *(["--webhook-url", url] if url else [])]
    environment = {**os.environ, "STRIPE_WEBHOOK_SECRET": secret}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            base = child.stdout.readline().strip()
            if not base:
                raise RuntimeError(f"the gateway did not start: it ended with {child.wait(_END_SECONDS_MAX)}")
            remote = Remote(base)
            try:
                yield remote
            finally:
                remote.close()
        finally:
            child.stdin.close()
            try:
                child.wait(_END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                child.kill()
