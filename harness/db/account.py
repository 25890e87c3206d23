"""The operating system account that PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from harness.words.errors import CouldNotRun

UNPRIVILEGED = ("nobody", "postgres", "daemon")
"""Who may stand in for root, the first that exists."""


@dataclass(frozen=True, slots=True)
class Account:
    """``switch`` is True when the processes must be started under these ids, False when they are our own."""

    name: str
    uid: int
    gid: int
    switch: bool

    def can_enter(self, directory: Path) -> bool:
        """True when the account may pass through ``directory`` and every directory above it.

        Goes by owner, group and mode: what access lists or security modules add shows when PostgreSQL starts.
        """
        directory = directory.resolve()
        return all(self._may(place, stat.S_IXOTH) for place in (directory, *directory.parents))

    def can_read(self, path: Path) -> bool:
        """True when ``path`` is there and the account may read it where it is."""
        path = path.resolve()
        return path.exists() and self.can_enter(path.parent) and self._may(path, stat.S_IROTH)

    def _may(self, path: Path, bit: int) -> bool:
        if not self.switch:
            return os.access(path, bit)
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return bool(status.st_mode & bit << shift)


def server_account() -> Account:
    """Ourselves, or as root an unprivileged account. Raises CouldNotRun when root finds none."""
    uid = os.geteuid()
    if uid != 0:
        return Account("", uid, os.getegid(), switch=False)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid, switch=True)
    raise CouldNotRun(
        "no-account",
        "PostgreSQL does not run as root and this machine has no other account to run it",
        expected=f"one of {', '.join(UNPRIVILEGED)}",
        remedy="run the harness as an ordinary user, or give it a server with --dsn",
    )
