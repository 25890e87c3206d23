"""Directories of servers whose supervisor is dead: who finds one removes it, and stops what may still run in it.

There should be none: a supervisor removes its own. One that was itself killed cannot.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from harness.db.account import Account
from harness.db.supervisor import PREFIX, STOP_SECONDS_MAX, children, remove
from harness.words.errors import CouldNotRun


def is_held(directory: Path) -> bool:
    """True while the supervisor of this directory lives: the kernel drops its lock when it dies. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def sweep(bases: Iterable[Path], account: Account) -> list[Path]:
    """Remove the leftovers in these places that are ours or the account's; returns what was removed."""
    removed = []
    for base in bases:
        with contextlib.suppress(FileNotFoundError, PermissionError, NotADirectoryError):
            for directory in sorted(base.glob(f"{PREFIX}*")):
                if directory.lstat().st_uid in (os.geteuid(), account.uid) and reclaim(directory):
                    removed.append(directory)
    return removed


def reclaim(directory: Path) -> bool:
    """Remove one directory unless its supervisor lives; True when it was removed.

    The lock is taken meanwhile, so that two who sweep do not meet. Raises CouldNotRun when it cannot be removed.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _stop_postmaster(directory / "data")
        remove(directory)
    except BlockingIOError:
        return False
    except OSError as error:
        seen = f"{directory} is left of an earlier run and cannot be removed: {error.strerror}"
        raise CouldNotRun("leftover", seen, remedy="remove it") from error
    finally:
        os.close(descriptor)
    return True


def _stop_postmaster(data: Path) -> None:
    """SIGQUIT to the server on this data directory if one runs, SIGKILL to all of it when that does not help."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n")[0])
    except (OSError, ValueError):
        return
    how = signal.SIGQUIT
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while str(data) in _command_line(pid):
        if time.monotonic() > deadline:
            how = signal.SIGKILL
        for each in (pid, *(children(pid) if how is signal.SIGKILL else ())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, how)
        time.sleep(0.01)


def _command_line(pid: int) -> str:
    """How a process was called; empty when it is gone. A pid alone is no proof: it may have been used again."""
    arguments = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            return arguments.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True).stdout
