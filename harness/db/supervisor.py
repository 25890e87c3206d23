"""The process that owns a PostgreSQL server, so that none outlives its purpose.

Run by path as ``python -I -S supervisor.py``: standard library only, one thread. Its owner (``harness.db.owner``)
holds the other end of its standard input; when that closes, for whatever reason, SIGKILL of the owner included, the
supervisor stops PostgreSQL and removes everything that it made. On Linux two more ropes are tied: the kernel tells
the supervisor of its owner's death even when a forked child of the owner keeps the pipe open (pidfd_open(2)), and it
stops PostgreSQL when the supervisor itself is killed (PR_SET_PDEATHSIG, prctl(2), which fires at the death of the
*thread* that started the child: one more reason to have one thread and one process for this alone).

Everything lives in one directory, ``harness-pg-<hex>``, on which the supervisor holds a lock (flock(2)) as long as it
lives: a directory without a holder is a leftover that anyone who finds it may remove (``harness.db.leftovers``).

The talk is one JSON object a line. First the plan in, then an answer; after that ``{"do": word}`` in and an answer
each. An answer is ``{"ok": {...}}`` or ``{"refused": text}``.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict

PREFIX = "harness-pg-"
"""How the directory of a server is called, before eight random hex digits."""

READY_SECONDS_MAX = 120.0
"""How long PostgreSQL may take until it accepts connections; crash recovery is the long case."""

STOP_SECONDS_MAX = 15.0
"""How long a shutdown may take before everything is killed; PostgreSQL itself kills stuck backends after five."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
IPC_RMID = 0


class Plan(TypedDict):
    """What the owner wants: absolute paths; ``copies`` pairs a source with its place among the copied programs."""

    base: str
    binaries: str
    copies: list[tuple[str, str]]
    initdb: list[str]
    uid: int | None
    gid: int | None
    configuration: str
    port: int


class RefusedError(Exception):
    """Something could not be done; the text is what the program or the system said."""


class OwnerGoneError(Exception):
    """The owner closed the line, died, or asked by SIGTERM that all ends."""


class Line:
    """Standard input and output as a line of JSON objects, watched together with signals and the owner's life."""

    def __init__(self) -> None:
        self._buffer = b""
        self._signals, wakeup = os.pipe()
        for end in (self._signals, wakeup):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakeup)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        self._watched = [0, self._signals]
        if sys.platform == "linux":
            # Too old a kernel (before 5.3) leaves the pipe as the only sign of the owner's death.
            with contextlib.suppress(OSError, AttributeError):
                self._watched.append(os.pidfd_open(os.getppid()))

    def pause(self, seconds: float | None = None) -> None:
        """Wait until something happens, at most ``seconds``. Raises OwnerGoneError."""
        ready, _, _ = select.select(self._watched, (), (), seconds)
        for end in ready:
            if end == self._signals:
                if signal.SIGTERM in os.read(end, 4096):
                    raise OwnerGoneError
            elif end == 0:
                received = os.read(end, 65536)
                if not received:
                    raise OwnerGoneError
                self._buffer += received
            else:
                raise OwnerGoneError

    def __iter__(self) -> Iterator[Any]:
        while True:
            while b"\n" not in self._buffer:
                self.pause()
            text, _, self._buffer = self._buffer.partition(b"\n")
            yield json.loads(text)

    def answer(self, **answer: object) -> None:
        try:
            os.write(1, json.dumps(answer).encode() + b"\n")
        except BrokenPipeError:
            raise OwnerGoneError from None

    def let_go(self) -> None:
        """From now on nobody owns us: only SIGTERM ends the server."""
        self._watched = [self._signals]
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)


class Cluster:
    """One data directory, with or without a running server on it."""

    def __init__(self, plan: Plan, directory: Path, line: Line) -> None:
        self.plan = plan
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "postgres.log"
        self.line = line
        self.binaries = Path(plan["binaries"])
        self.postmaster: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Copy the binaries when the account cannot read them, make the data directory, write the configuration."""
        self._give(self.directory)
        for source, place in self.plan["copies"]:
            shutil.copytree(source, self.directory / "binaries" / place, symlinks=True)
        if self.plan["copies"]:
            self.binaries = self.directory / "binaries" / self.plan["copies"][0][1] / "bin"
            self._give(self.directory / "binaries")
        initdb = self._run("initdb", *self.plan["initdb"], f"--pgdata={self.data}")
        # Not to be interrupted: killed in its third of a second, it would leave its shared memory.
        if initdb.wait():
            raise RefusedError(self.log.read_bytes().decode(errors="replace"))
        configuration = self.plan["configuration"] + f"unix_socket_directories = '{self.directory}'\n"
        (self.data / "postgresql.conf").write_text(configuration, encoding="utf-8")

    def start(self) -> None:
        """Start PostgreSQL and wait until it accepts connections, recovery included."""
        self.kill()
        # Nobody runs on the data now: what the lock files say can only mislead (a pid used again).
        socket = self.directory / f".s.PGSQL.{self.plan['port']}"
        for stale in (self.data / "postmaster.pid", socket, Path(f"{socket}.lock")):
            stale.unlink(missing_ok=True)
        said_before = self.log.stat().st_size
        self.postmaster = self._run("postgres", "-D", str(self.data))
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not self._ready():
            if self.postmaster.poll() is not None or time.monotonic() > deadline:
                self.kill()
                said = self.log.read_bytes()[said_before:].decode(errors="replace")
                raise RefusedError(said or f"postgres was not ready after {READY_SECONDS_MAX:.0f} s")
            self.line.pause(0.002)

    def stop(self, how: signal.Signals) -> None:
        """Shut down: SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one, which needs recovery."""
        if self.postmaster is not None and self.postmaster.poll() is None:
            self.postmaster.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.postmaster.wait(STOP_SECONDS_MAX)
        self.kill()

    def kill(self) -> None:
        """SIGKILL what runs: the backends, before they can say a word to their clients, and the postmaster.

        Returns when all are gone. Backends whose postmaster someone else has killed are ours (we are their subreaper)
        and go too: two generations of them on one data directory would destroy it.
        """
        segment = shared_memory(self.data)
        victims = []
        if self.postmaster is not None and self.postmaster.poll() is None:
            # A stopped postmaster forks no backend between our look and our kill.
            self.postmaster.send_signal(signal.SIGSTOP)
            victims = [*children(self.postmaster.pid), self.postmaster.pid]
        if sys.platform == "linux":
            victims += children(os.getpid())
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.postmaster is not None:
            self.postmaster.wait()
        while not all(map(gone, victims)):
            time.sleep(0.001)
        if segment is not None:
            ctypes.CDLL(None).shmctl(segment, IPC_RMID, None)

    def _ready(self) -> bool:
        """Line 1 of postmaster.pid is the pid, line 8 the state (PostgreSQL, src/include/utils/pidfile.h)."""
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self._pid) and lines[7].strip() == "ready"

    @property
    def _pid(self) -> int | None:
        return self.postmaster.pid if self.postmaster else None

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        account: dict[str, Any] = {}
        if self.plan["uid"] is not None:
            account = {"user": self.plan["uid"], "group": self.plan["gid"], "extra_groups": []}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [str(self.binaries / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=environment | {"LC_ALL": "C"},
                preexec_fn=fall_with_me(),
                **account,
            )

    def _give(self, tree: Path) -> None:
        """Make a tree the account's own."""
        if self.plan["uid"] is not None and self.plan["gid"] is not None:
            for place, _, files in os.walk(tree):
                for path in (Path(place), *(Path(place, file) for file in files)):
                    os.chown(path, self.plan["uid"], self.plan["gid"], follow_symlinks=False)

    def facts(self) -> dict[str, object]:
        return {"directory": str(self.directory), "pid": self._pid}


def prctl(option: int, value: int) -> None:
    """prctl(2), which only Linux has; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def fall_with_me() -> Callable[[], None]:
    """What a child does before exec so that it gets SIGQUIT (PostgreSQL: immediate shutdown) when we die."""
    supervisor = os.getpid()

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
        if os.getppid() != supervisor:
            os._exit(1)

    return tie


def children(parent: int) -> list[int]:
    """The pids of the living children of a process."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(["ps", "-A", "-o", "ppid=,pid="], capture_output=True, text=True, check=True).stdout
        return [int(pid) for ppid, pid in map(str.split, listed.splitlines()) if int(ppid) == parent]
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name in parentheses may hold anything; the state and the parent come after the last one.
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(entry.name))
    return found


def shared_memory(data: Path) -> int | None:
    """The id of the System V segment of the server on this data directory, which outlives it when it is killed."""
    try:
        # Line 7 of postmaster.pid holds its key and its id.
        return int((data / "postmaster.pid").read_text().split("\n")[6].split()[1])
    except (FileNotFoundError, IndexError):
        return None


def gone(pid: int) -> bool:
    """True when the process is no more. Orphans that came to us as their subreaper are reaped."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def remove(directory: Path) -> None:
    """Remove a server's directory, while a last process may still be writing in it. Raises OSError."""
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while True:
        try:
            shutil.rmtree(directory)
        except FileNotFoundError:
            if not directory.exists():
                return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(0.01)


def make_directory(base: Path) -> tuple[Path, int]:
    """A new directory that only we can enter, and the descriptor that holds its lock. Raises RefusedError."""
    while True:
        directory = base / (PREFIX + os.urandom(4).hex())
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            continue
        except OSError as error:
            raise RefusedError(f"{error.strerror}: {base}") from None
        with contextlib.suppress(FileNotFoundError):
            held = os.open(directory, os.O_RDONLY)
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(directory.stat(), os.fstat(held)):
                    return directory, held
            os.close(held)
        # Someone took it for a leftover before we held it, and removes it: take another.


def serve(line: Line) -> None:
    """The whole life of a server, from the plan to the removal of its directory."""
    commands = iter(line)
    plan: Plan = next(commands)
    directory, _held = make_directory(Path(plan["base"]))
    cluster = Cluster(plan, directory, line)
    try:
        cluster.prepare()
        cluster.start()
        line.answer(ok=cluster.facts())
        for command in commands:
            match command["do"]:
                case "restart":
                    cluster.stop(signal.SIGINT)
                    cluster.start()
                case "crash-immediate":
                    cluster.stop(signal.SIGQUIT)
                case "crash-sigkill":
                    cluster.kill()
            line.answer(ok=cluster.facts())
            if command["do"] == "let-go":
                line.let_go()
    finally:
        cluster.stop(signal.SIGQUIT)
        remove(directory)


def main() -> None:
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    line = Line()
    with contextlib.suppress(OwnerGoneError):
        try:
            serve(line)
        except (RefusedError, OSError) as reason:
            line.answer(refused=str(reason))


if __name__ == "__main__":
    main()
