"""Planted faults: the reference with one mistake in it, each a file of SQL that runs after the reference's migrations.

A harness that has never found anything may be unable to. Each file begins with comments that say what is wrong, why
somebody would write it, which properties it must break, and what the smallest counterexample to one of them is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from harness.marketplace.subject import Subject, digest_of, load_subject
from harness.words.errors import UsageError

FOLDER = "planted"
PREFIX = "planted:"
REFERENCE = "reference"

PARTS = ("Wrong", "Why", "Breaks", "Shown")
CATALOG = "in the catalog"


@dataclass(frozen=True, slots=True)
class Shown:
    """How a fault shows: a search of the scenario ``file`` breaks ``property`` within ``schedules_max`` schedules, and
    the smallest counterexample has so many operations and preemptions."""

    property: str
    file: str
    schedules_max: int
    operations: int
    preemptions: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One file. ``shown`` is None for a fault that is read from the catalog instead of being run."""

    name: str
    path: Path
    wrong: str
    why: str
    breaks: tuple[str, ...]
    shown: Shown | None


def find_subject(name_or_path: str, bundled: Path) -> Subject:
    """``planted:NAME`` is the reference with that fault; any other name or path as ``load_subject`` has it.

    Raises ``UsageError`` for whatever is wrong with it.
    """
    if not name_or_path.startswith(PREFIX):
        return load_subject(name_or_path, bundled)
    name = name_or_path.removeprefix(PREFIX)
    known = {path.stem: path for path in fault_files(bundled)}
    if name not in known:
        raise UsageError(
            "no-fault",
            f"there is no planted fault {name!r}",
            expected=" or ".join(get_close_matches(name, known, 3, 0.5)) or "the name of a planted fault",
            remedy="docs/planted.md lists them all",
        )
    fault = read_fault(known[name])
    reference = load_subject(REFERENCE, bundled)
    migrations = (*reference.migrations, fault.path)
    return replace(
        reference,
        name=name_or_path,
        description=fault.wrong,
        migrations=migrations,
        digest=digest_of(reference.file, migrations),
    )


def fault_files(bundled: Path) -> list[Path]:
    """The files of the planted faults, in order of name."""
    return sorted((bundled / FOLDER).glob("*.sql"))


def read_fault(path: Path) -> Fault:
    """What the comments at the head of a fault's file say. Raises ``ValueError`` for one that lacks a part."""
    parts = _parts(path)
    breaks, shown = tuple(re.split(r",\s*", parts["Breaks"])), parts["Shown"]
    return Fault(
        path.stem, path, parts["Wrong"], parts["Why"], breaks, None if shown == CATALOG else _shown(path, shown)
    )


def _parts(path: Path) -> dict[str, str]:
    parts: dict[str, str] = {}
    last = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("--"):
            break
        text = line.removeprefix("--").strip()
        if match := re.match(rf"({'|'.join(PARTS)}): (.*)", text):
            last, text = match[1], match[2]
        parts[last] = f"{parts[last]} {text}" if last in parts else text
    if tuple(parts) != PARTS:
        raise ValueError(f"{path} begins with {', '.join(parts) or 'nothing'}, not with {', '.join(PARTS)}")
    return parts


def _shown(path: Path, text: str) -> Shown:
    match = re.fullmatch(
        r"(\S+) in (\w+)\.py within (\d+) schedules?; smallest with (\d+) operations? and (\d+) preemptions?", text
    )
    if match is None:
        raise ValueError(f"{path} does not say how the fault shows: {text}")
    return Shown(match[1], match[2], int(match[3]), int(match[4]), int(match[5]))
