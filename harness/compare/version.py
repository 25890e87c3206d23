"""BASE and CANDIDATE of a comparison: a subject, a git revision of one."""

from __future__ import annotations

import re
import subprocess
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from harness.marketplace.planted import PREFIX, find_subject
from harness.marketplace.subject import Subject
from harness.words.errors import CouldNotRun, UsageError

BUNDLED = "sql"
"""Where the subjects with names are, in the repository as in the package."""


@dataclass(frozen=True, slots=True)
class Version:
    """``given`` is what was written on the command line; ``commit`` the full id of the revision, if it is of one."""

    given: str
    subject: Subject
    commit: str | None = None


def is_revision(text: str) -> bool:
    """``main:reference`` is one; ``planted:off-by-one`` is the name of a subject."""
    return ":" in text and not text.startswith(PREFIX) and not Path(text).exists()


def find_version(text: str, bundled: Path, scratch: Path) -> Version:
    """What ``text`` names: a subject as ``find_subject`` knows them, or ``REVISION:SUBJECT``, of git.

    SUBJECT is a name (in the repository's folder ``sql``) or the path of a folder from the root of the repository. What
    is read from git goes to ``scratch``, a directory that must outlive the version; the work tree is not touched.
    Raises ``UsageError``, and ``CouldNotRun`` without git.
    """
    if not is_revision(text):
        return Version(text, find_subject(text, bundled))
    revision, _, name = text.partition(":")
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    if not commit:
        raise UsageError("no-revision", f"git knows no revision {revision!r}", expected="REVISION:SUBJECT")
    folder = scratch / commit
    if not folder.exists():
        _unpack(commit, folder)
    own = "/" in name or name in (".", "")
    subject = find_subject(str(folder / name) if own else name, folder / BUNDLED)
    return Version(text, subject, commit)


def _unpack(commit: str, folder: Path) -> None:
    """All SQL and TOML of a commit: migrations may lie outside of their subject's folder."""
    top = _git("rev-parse", "--show-toplevel").decode().strip()
    packed = _git("-C", top, "archive", "--format=tar", commit)
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        wanted = [member for member in archive if re.search(r"\.(sql|toml)$", member.name) and member.isfile()]
        archive.extractall(folder, wanted, filter="data")


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except OSError as error:
        raise CouldNotRun("no-git", f"git cannot be run: {error.strerror}", remedy="install git") from error
    if done.returncode and "--quiet" not in arguments:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError("no-revision", f"git {arguments[0]}: {said[-1] if said else done.returncode}")
    return done.stdout
