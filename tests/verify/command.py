"""The command as its users run it: a process of its own, what it prints, and what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONG_S = 120.0
"""More than anything here takes on a busy machine, seconds."""

IN_BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""Before a command: as ``command &`` in a script, for which a shell ignores SIGINT."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on stderr, where there must be one and nothing on stdout."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        assert line.startswith("harness: ")
        return line.removeprefix("harness: ")


def environment(directory: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours without any setting of the harness, at home in ``directory``."""
    foreign = ("HARNESS_", "XDG_", "PG", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    session = next((each for each in directory.parents if re.fullmatch(r"pytest-\d+", each.name)), directory)
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        # Compiled once for all the processes of these tests, wherever the package lies.
        "PYTHONPYCACHEPREFIX": str(session / "bytecode"),
        "HOME": str(directory),
        "COLUMNS": "160",
        **(extra or {}),
    }


def harness(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "", module: str = "harness"
) -> Ended:
    """Run ``harness ARGUMENTS`` in ``cwd`` to its end; or another module."""
    ended = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=cwd,
        env=environment(cwd, env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LONG_S,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@dataclass(frozen=True)
class Running:
    """A command that runs in a process group of its own."""

    process: subprocess.Popen[str]

    def interrupt(self) -> None:
        """What Ctrl-C in a terminal does: SIGINT to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def workers(self) -> frozenset[Kin]:
        """Its worker processes: forks of itself."""
        own = Path(f"/proc/{self.process.pid}/cmdline").read_bytes().decode()
        return frozenset(kin for kin in self.family() if own and command_line(kin) == own)

    def await_workers(self) -> None:
        """Wait until it has some."""
        deadline = time.monotonic() + LONG_S
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.workers():
                return
            time.sleep(0.02)
        raise AssertionError(f"it has not begun to work: {self.end()}")

    def await_sessions(self) -> None:
        """Wait until one of them plays: its sessions and their controller are connected."""
        self.await_workers()
        deadline = time.monotonic() + LONG_S
        while not any(connections(kin) >= 3 for kin in self.workers()) and time.monotonic() < deadline:
            assert self.process.poll() is None, self.end()
            time.sleep(0.02)

    def end(self) -> Ended:
        """Wait for it to end."""
        out, err = self.process.communicate(timeout=LONG_S)
        return Ended(self.process.returncode, out, err)

    def family(self) -> frozenset[Kin]:
        """Every process below it now; those of PostgreSQL are among them."""
        parents = dict(_processes())
        found = {self.process.pid}
        while more := {kin.pid for kin, parent in parents.items() if parent in found} - found:
            found |= more
        return frozenset(kin for kin in parents if kin.pid in found and kin.pid != self.process.pid)


@dataclass(frozen=True)
class Kin:
    """A process, which a later one with its pid is not mistaken for."""

    pid: int
    born: int


@contextmanager
def running(
    *arguments: str | Path, cwd: Path, module: str = "harness", before: Sequence[str] = ()
) -> Iterator[Running]:
    """``harness ARGUMENTS`` in the background, or another module; it does not outlive the block."""
    process = subprocess.Popen(
        [*before, sys.executable, "-m", module, *map(str, arguments)],
        cwd=cwd,
        # A connection that was cut off in the middle complains when it is collected.
        env={**environment(cwd), "PYTHONWARNINGS": "default::DeprecationWarning"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Running(process)
    finally:
        process.kill()
        process.communicate()


def alive(family: frozenset[Kin]) -> frozenset[Kin]:
    """Those that still run. A zombie is dead: it waits for a parent that may be anybody."""
    return family & {kin for kin, _ in _processes()}


def gone(family: frozenset[Kin], seconds: float = 30.0) -> bool:
    """Whether all of them end in that time."""
    deadline = time.monotonic() + seconds
    while alive(family):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def server_directories(family: frozenset[Kin]) -> set[Path]:
    """Where the PostgreSQL servers among them have their files."""
    found = set()
    for kin in family:
        found |= {Path(match[0]) for match in re.finditer(r"/[^\0]*?/harness-pg-[0-9a-f]+", command_line(kin))}
    return found


def command_line(kin: Kin) -> str:
    """How it was called, its arguments with NULs between; empty when it is gone."""
    try:
        return Path(f"/proc/{kin.pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def connections(kin: Kin) -> int:
    """How many sockets it has; none when it is gone."""
    found = 0
    with suppress(FileNotFoundError, ProcessLookupError):
        for entry in Path(f"/proc/{kin.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found += str(entry.readlink()).startswith("socket:")
    return found


def _processes() -> Iterator[tuple[Kin, int]]:
    """Each living process with the pid of its parent (Linux)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent, *rest = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                yield Kin(int(entry.name), int(rest[17])), int(parent)
