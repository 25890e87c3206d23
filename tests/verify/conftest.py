"""Verifications that several tests look at, made once."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.db.any_server import AnyServer
from tests.verify.command import Ended, harness


@dataclass(frozen=True)
class Verified:
    """A verification that was run in ``directory``."""

    directory: Path
    ended: Ended
    document: dict[str, Any]

    def schedule_of(self, property_id: str) -> Path:
        """The schedule file of the counterexample to a property."""
        (found,) = [each["counterexample"] for each in self.document["properties"] if each["id"] == property_id]
        return self.directory / str(found["file"])


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Verified]) -> Verified:
    """What ``make`` makes in a directory, made by one worker of pytest-xdist and seen by all."""
    shared = "PYTEST_XDIST_WORKER" in os.environ
    directory = (factory.getbasetemp().parent if shared else factory.getbasetemp()) / f"verified-{name}"
    directory.mkdir(exist_ok=True)
    kept = directory / "kept.json"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            made = make(directory)
            kept.write_text(json.dumps([asdict(made.ended), made.document]))
        ended, document = json.loads(kept.read_text())
    return Verified(directory, Ended(**ended), document)


def verify(directory: Path, *arguments: str | Path) -> Verified:
    """``harness verify ARGUMENTS``, with its document."""
    ended = harness("verify", *arguments, "--json", "run.json", cwd=directory)
    assert (directory / "run.json").is_file(), ended
    return Verified(directory, ended, json.loads((directory / "run.json").read_text()))


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Verified:
    """A race and a contract that the published subject breaks, on a server that the command starts itself."""
    arguments = (
        *("--subject", "published", "--max-schedules", "60", "--junit", "reports/deep/junit.xml"),
        *("--scenario", "two-buyers-one-lead", "--scenario", "contract-repeated-completion"),
    )
    return once(tmp_path_factory, "published", lambda directory: verify(directory, *arguments))


RACES = ("two-pending-purchases-one-lead", "same-purchase-completed-twice-at-once", "two-top-ups-at-once")


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, server: AnyServer) -> Verified:
    """Races on the reference, by two workers."""
    chosen = [word for name in RACES for word in ("--scenario", name)]
    arguments = (*chosen, "--max-schedules", "240", "--workers", "2", "--dsn", server.dsn())
    return once(tmp_path_factory, "reference", lambda directory: verify(directory, *arguments))


FEW = 370
"""About four for each scenario: enough to meet nearly every line, not enough for every property."""


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory, server: AnyServer) -> Verified:
    """A few schedules of every scenario on the reference."""
    arguments = ("--max-schedules", str(FEW), "--dsn", server.dsn())
    return once(tmp_path_factory, "everything", lambda directory: verify(directory, *arguments))
