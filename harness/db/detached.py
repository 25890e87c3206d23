"""A server that stays when the command that started it ends: ``harness db start``, ``stop``, ``status`` and ``psql``.

Its supervisor is the same as of every server of ours, let go by its owner. The state file says where it is; nothing in
it is secret. Whether it still runs is never read from the file: the lock on its directory tells.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.db.binaries import choose_binaries
from harness.db.leftovers import is_held, reclaim
from harness.db.server import Server
from harness.db.settings import Setting
from harness.words.errors import CouldNotRun, UsageError

STOP_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Detached:
    """A running server: its DSN (over the unix socket), where its files are, its processes, since when (UTC)."""

    dsn: str
    version: str
    source: str
    port: int | None
    directory: str
    programs: str
    postmaster: int
    supervisor: int
    started_at: str


def state_directory(project: Path) -> Path:
    """Where the state of this user's server for this project is kept (XDG Base Directory Specification).

    A directory for temporary files stands in when the user has no home that can be written.
    """
    key = hashlib.sha256(os.fsencode(project.resolve())).hexdigest()[:16]
    home = os.environ.get("XDG_STATE_HOME") or os.environ.get("HOME")
    if home:
        base = Path(home) if os.environ.get("XDG_STATE_HOME") else Path(home, ".local", "state")
        existing = next(place for place in (base, *base.parents) if place.exists())
        if base.is_absolute() and os.access(existing, os.W_OK | os.X_OK):
            return base / "harness" / key
    return Path(tempfile.gettempdir(), f"harness-state-{os.geteuid()}", key)


def start_detached(
    state: Path,
    choice: str = "auto",
    *,
    settings: Mapping[str, Setting] | None = None,
    fsync: bool = False,
    port: int | None = None,
    directory: Path | None = None,
) -> Detached:
    """Start a server that stays, or return the one that runs already.

    ``choice`` is auto, embedded, embedded-17 or local. Raises UsageError when one runs already on another port,
    CouldNotRun as every start does.
    """
    with _alone(state):
        running = _running(state)
        if running is not None:
            if port not in (None, running.port):
                raise UsageError(
                    "already-running",
                    f"a server runs already, {f'on port {running.port}' if running.port else 'without a TCP port'}",
                    remedy="harness db stop",
                )
            return running
        server = Server(choose_binaries(choice), settings=settings, fsync=fsync, port=port, directory=directory)
        with server:
            detached = Detached(
                dsn=server.dsn(),
                version=server.version,
                source=server.binaries.source,
                port=port,
                directory=str(server.socket_directory),
                programs=str(server.bin_directory),
                postmaster=server.pid,
                supervisor=server.supervised.pid,
                started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            _file(state).write_text(json.dumps(asdict(detached), indent=2) + "\n", encoding="utf-8")
            server.let_go()
        return detached


def stop_detached(state: Path) -> Detached | None:
    """Stop the server and return when it and its directory are gone; returns what was stopped, None if nothing ran."""
    with _alone(state):
        running = _running(state)
        if running is not None:
            # The lock is held, so the pid is the supervisor's: it cannot have been used again.
            os.kill(running.supervisor, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS_MAX
            while Path(running.directory).exists():
                if time.monotonic() > deadline:
                    raise CouldNotRun("stop", f"the server in {running.directory} did not stop")
                reclaim(Path(running.directory))
                time.sleep(0.01)
        _file(state).unlink(missing_ok=True)
        return running


def status_detached(state: Path) -> Detached | None:
    """The server that runs, None if there is none."""
    if not state.exists():
        return None
    with _alone(state):
        return _running(state)


def psql_detached(state: Path, arguments: Sequence[str] = ()) -> list[str]:
    """The command that opens psql on the server. UsageError when none runs, CouldNotRun when there is no psql."""
    running = status_detached(state)
    if running is None:
        raise UsageError("not-running", "no server runs", remedy="harness db start")
    program = Path(running.programs, "psql")
    if not program.exists():
        raise CouldNotRun("no-psql", f"{running.programs} has no psql", remedy="harness db start --database embedded")
    return [str(program), running.dsn, *arguments]


def _running(state: Path) -> Detached | None:
    """What the state file speaks of if its supervisor lives; else its leftovers are removed."""
    try:
        detached = Detached(**json.loads(_file(state).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise CouldNotRun("state-file", f"{_file(state)} cannot be read: {error}", remedy="remove it") from None
    try:
        if is_held(Path(detached.directory)):
            return detached
    except FileNotFoundError:
        return None
    reclaim(Path(detached.directory))
    return None


def _file(state: Path) -> Path:
    return state / "server.json"


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """One command at a time, in a state directory that only we can write."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (state / "lock").open("w")
    except OSError as error:
        raise CouldNotRun(
            "state-directory",
            f"{state} cannot be used: {error.strerror}",
            remedy="set XDG_STATE_HOME to a directory of yours",
        ) from None
    with lock:
        if state.stat().st_uid != os.geteuid():
            raise CouldNotRun("state-directory", f"{state} belongs to someone else", remedy="set XDG_STATE_HOME")
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
