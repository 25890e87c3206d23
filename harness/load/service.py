"""The API under load, as a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import harness
from harness.words.errors import CouldNotRun

NEEDED = ("fastapi", "httptools", "httpx", "prometheus_client", "stripe", "uvicorn")
START_S_MAX = 30.0
END_S_MAX = 20.0
OTHERS_S_MAX = 600.0
"""How long we wait for an API that somebody else starts."""
LOOK_EVERY_S = 0.05


@contextmanager
def service(environment: Mapping[str, str], log: Path) -> Iterator[tuple[str, int]]:
    """The purchase API with these variables, one worker: its address and its pid. It ends with the block, or with us.

    What it says goes to ``log``. Raises ``CouldNotRun`` when it does not start.
    """
    port = _free_port()
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "harness.purchase", "--port", str(port), "--until-stdin-closes"]
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment, "PYTHONPATH": importable()},
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            wait_until_healthy(base, process, START_S_MAX, log)
            yield base, process.pid
        finally:
            _end(process)


def importable() -> str:
    """PYTHONPATH for a child that is to import this very package, wherever it is started."""
    package = str(Path(harness.__file__).parents[1])
    return os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))


def wait_until_healthy(
    base: str, process: subprocess.Popen[bytes] | None = None, seconds: float = OTHERS_S_MAX, log: Path | None = None
) -> None:
    """Until ``/health`` answers with 200. Raises ``CouldNotRun`` when it does not in time, or its process has ended."""
    opener = build_opener(ProxyHandler({}))
    deadline = monotonic() + seconds
    while True:
        try:
            with opener.open(f"{base}/health", timeout=5) as answer:
                answer.read()
            return
        except (URLError, OSError) as error:
            ended = process is not None and process.poll() is not None
            if ended or monotonic() > deadline:
                lines = log.read_text(encoding="utf-8").strip().splitlines() if log else []
                raise CouldNotRun(
                    "no-service",
                    f"the API at {base} does not answer: {lines[-1] if lines else error}",
                    expected="200 from /health",
                ) from error
            sleep(LOOK_EVERY_S)


def require_api() -> None:
    """Raises ``CouldNotRun`` where what the API and the gateway need is not installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise CouldNotRun(
            "no-api-packages",
            f"what asks the purchase API needs {', '.join(missing)}",
            remedy="pip install 'atomic-payment-harness[api,load]'",
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdin is not None
    process.stdin.close()


def _free_port() -> int:
    """A port that nobody listens on, and that was given to no other service of this process: they start at once."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port


_GIVEN: set[int] = set()
