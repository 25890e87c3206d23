"""Where a server's directory goes: in memory when there is room, and never where its socket's path is too long."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from harness.db.account import Account
from harness.db.supervisor import PREFIX
from harness.words.errors import CouldNotRun

MEMORY = Path("/dev/shm")
MEMORY_FREE_BYTES_MIN = 1 << 30
SOCKET_PATH_BYTES_MAX = 107 if sys.platform == "linux" else 103
"""sun_path of unix(7) holds 108 bytes on Linux, 104 elsewhere, its final NUL included."""


def choose_base(account: Account, *, runs_programs: bool, wanted: Path | None = None) -> Path:
    """The directory in which a server's own is made: ``wanted``, else memory, else the directory for temporary files.

    ``runs_programs`` says that copied programs must run there. Raises CouldNotRun when no place will do.
    """
    if wanted is not None:
        unfit = _unfit(wanted.absolute(), account, runs_programs)
        if unfit:
            raise CouldNotRun("data-directory", unfit, remedy="choose another directory for the data")
        return wanted.absolute()
    if MEMORY.is_dir() and _free_bytes(MEMORY) >= MEMORY_FREE_BYTES_MIN and not _unfit(MEMORY, account, runs_programs):
        return MEMORY
    reasons = []
    for base in dict.fromkeys((Path(tempfile.gettempdir()).absolute(), Path("/tmp"))):
        unfit = _unfit(base, account, runs_programs)
        if not unfit:
            return base
        reasons.append(unfit)
    raise CouldNotRun("data-directory", "; ".join(reasons), remedy="set TMPDIR to a short path that all may enter")


def bases() -> tuple[Path, ...]:
    """All places where a leftover of an earlier run can be, the chosen ones apart."""
    return tuple(dict.fromkeys((MEMORY, Path(tempfile.gettempdir()).absolute(), Path("/tmp"))))


def _unfit(base: Path, account: Account, runs_programs: bool) -> str:
    """Why this directory will not do, empty when it will."""
    if not base.is_dir():
        return f"{base} is not a directory"
    if not os.access(base, os.W_OK | os.X_OK):
        return f"{base} cannot be written"
    if not account.can_enter(base):
        return f"the account {account.name} that runs PostgreSQL cannot enter {base}"
    if runs_programs and os.statvfs(base).f_flag & getattr(os, "ST_NOEXEC", 0):
        return f"{base} is mounted noexec, so that the copied PostgreSQL programs cannot run there"
    socket = base / f"{PREFIX}01234567" / ".s.PGSQL.65535"
    if len(os.fsencode(socket)) > SOCKET_PATH_BYTES_MAX:
        return f"{base} is too long for a socket's path ({SOCKET_PATH_BYTES_MAX} bytes)"
    return ""


def _free_bytes(path: Path) -> int:
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
