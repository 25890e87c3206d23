"""Locust as a process of its own, for it patches the standard library of the one that it runs in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from harness.load.service import importable
from harness.words.errors import CouldNotRun

SPAWN_PER_SECOND = 1000
STOP_S = 10.0
"""How long users have for what they are at when the time is over: asking again until it is clear what was done."""
END_S_MAX = STOP_S + 20.0
LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Generator:
    """How a load is made: ``users`` by ``processes`` of this machine, or by ``workers`` that come from anywhere.

    ``rate`` 0 is the closed model. ``folder`` gets the samples and what Locust says.
    """

    locustfile: Path
    stock: Path
    folder: Path
    users: int
    seconds: float
    rate: float = 0.0
    pattern: str = "poisson"
    processes: int = 1
    workers: int = 0
    port: int = 5557
    """Of the master, for workers."""
    seed: int = 0
    step_seconds: float = 5.0

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    @property
    def log(self) -> Path:
        return self.folder / "locust.log"

    def environment(self) -> Mapping[str, str]:
        """What the processes of Locust are told by variables."""
        return {
            "LOAD_STOCK": str(self.stock.absolute()),
            "LOAD_SAMPLES": str(self.samples.absolute()),
            "LOAD_RATE": str(self.rate),
            "LOAD_ARRIVALS": self.pattern,
            "LOAD_SEED": str(self.seed),
            "LOAD_STEP_TIME": str(self.step_seconds),
        }

    def command(self) -> list[str]:
        """The command line of Locust, as anybody could give it."""
        words = [sys.executable, "-m", "locust", "-f", str(self.locustfile), "--headless", "--only-summary"]
        words += ["-u", str(self.users), "-r", str(SPAWN_PER_SECOND), "--exit-code-on-error", "0"]
        # A shape ends by itself, and Locust takes no time for it.
        words += ["-t", f"{self.seconds:g}s"]
        words += ["--stop-timeout", f"{STOP_S:g}"]
        if self.workers:
            words += ["--master", "--expect-workers", str(self.workers), "--master-bind-port", str(self.port)]
        elif self.processes > 1:
            words += ["--processes", str(self.processes)]
            # The workers that it forks look for it at another option's port.
            words += ["--master-bind-port", str(self.port), "--master-port", str(self.port)]
        return words

    def run(self, tick: Callable[[int], None]) -> bool:
        """Make the load and wait for its end; ``tick`` hears how many requests there have been. False after Ctrl-C.

        Raises ``CouldNotRun`` when Locust fails. Nothing of it is left running.
        """
        require_locust()
        self.samples.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **self.environment(), "PYTHONPATH": importable(), "LOAD_OWNER": str(os.getpid())}
        with self.log.open("w", encoding="utf-8") as log:
            # A session of its own: Ctrl-C is our business, and ends it in good order.
            process = subprocess.Popen(
                self.command(),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                whole = self._wait(process, tick)
            finally:
                _kill(process)
        if process.returncode not in (0, None) and whole:
            said = [line for line in self.log.read_text(encoding="utf-8").splitlines() if line.strip()]
            raise CouldNotRun(
                "locust-failed",
                f"Locust ended with {process.returncode}: {said[-1] if said else 'it said nothing'}",
                remedy=f"see {self.log}",
            )
        return whole

    def _wait(self, process: subprocess.Popen[bytes], tick: Callable[[int], None]) -> bool:
        counting = Counting(self.samples)
        try:
            while process.poll() is None:
                tick(counting.look())
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_EVERY_S)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_S_MAX)
            return False
        tick(counting.look())
        return True


def require_locust() -> None:
    """Raises ``CouldNotRun`` where Locust is not installed."""
    if find_spec("locust") is None:
        raise CouldNotRun("no-locust", "Locust is not installed", remedy="pip install 'atomic-payment-harness[load]'")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The whole group: with --processes, Locust's workers as well."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Counting:
    """Counts the lines of the files in a folder as they grow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._lines = 0
        self._at = 0.0

    def look(self) -> int:
        """How many there are by now."""
        if monotonic() - self._at < 2 * LOOK_EVERY_S:
            return self._lines
        for path in self._folder.glob("*.jsonl"):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                while part := file.read(1 << 20):
                    self._lines += part.count(b"\n")
                self._read[path] = file.tell()
        self._at = monotonic()
        return self._lines
