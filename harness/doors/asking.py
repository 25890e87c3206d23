"""What is asked for on the command line: a subject, scenarios, a server, files that can be written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from harness.db.any_server import AnyServer
from harness.db.provision import chosen_source, provision
from harness.db.settings import Setting
from harness.faults.case import Case, load_cases
from harness.marketplace.planted import find_subject
from harness.marketplace.scenario import Scenario, load_scenarios
from harness.marketplace.subject import Subject
from harness.resources import bundled
from harness.verify.prepared import require_superuser
from harness.words.dsn import is_dsn
from harness.words.errors import CouldNotRun, UsageError


@contextmanager
def opened(choice: str, settings: Mapping[str, Setting] | None = None) -> Iterator[AnyServer]:
    """The server of that choice (``harness.db.provision``), open. ``UsageError`` where our role is no superuser.

    Only one of ours gets the settings: what a server's start can set is the business of whoever started it.
    """
    if settings is not None and is_dsn(chosen_source(choice)):
        settings = {}
    with provision(choice, settings=settings) as server:
        require_superuser(server)
        yield server


def subject_of(name: str) -> Subject:
    """The subject of that name or path. Raises ``UsageError``."""
    return find_subject(name, bundled("sql"))


def from_here(path: Path) -> str:
    """An absolute path as a command names it that is run in this directory."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def scenarios_of(names: Sequence[str] | None, directory: Path | None, through: str = "calls") -> list[Scenario]:
    """The scenarios of these names, or all; those of ``directory`` are known, too. Raises ``UsageError``.

    ``through`` the ``api`` there are others besides, of its own.
    """
    known = load_scenarios(bundled("scenarios"))
    if through == "api":
        known |= load_scenarios(bundled("scenarios") / "api")
    if directory is not None:
        own = load_scenarios(directory)
        if taken := sorted(known.keys() & own.keys()):
            raise UsageError(
                "duplicate-scenario",
                f"{directory} defines {', '.join(taken)}, and so do the bundled scenarios",
                expected="names of your own",
                remedy="rename them",
            )
        known |= own
    if names is None:
        return list(known.values())
    for name in names:
        if name not in known:
            raise UsageError(
                "unknown-scenario",
                f"there is no scenario {name!r}",
                expected=" or ".join(get_close_matches(name, known, 3)) or "the name of a scenario",
                remedy="harness scenarios lists them all",
            )
    return [known[name] for name in dict.fromkeys(names)]


def require_writable(*files: Path | None) -> None:
    """That each of these files can be written, found out before the work and not after it. None is no file."""
    for file in files:
        if file is not None:
            _require_writable(file)


def _require_writable(file: Path) -> None:
    directory = next(parent for parent in file.absolute().parents if parent.exists())
    if file.is_dir():
        raise UsageError("not-a-file", f"{file.absolute()} is a directory", expected="the name of a file to write")
    if not directory.is_dir():
        raise CouldNotRun("read-only", f"cannot write into {directory}, which is a file", remedy="name a directory")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise CouldNotRun("read-only", f"cannot write {file}", remedy="name a file in a directory that can be written")


def cases() -> dict[str, Case]:
    """The cases of the fault sweep, by name."""
    return load_cases(bundled("scenarios") / "faults")
