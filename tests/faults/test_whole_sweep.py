"""The unmodified reference survives every fault at every step of every operation: so many steps, so many histories."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from tests.faults.test_sweep import CASES, swept

EVERY = {
    "cancel": (272, 485),
    "terminate": (103, 146),
    "cut-before-send": (8, 146),
    "cut-after-send": (103, 219),
    "error": (272, 485),
}
"""Fault to the number of steps that it strikes, and of histories: all there are with one preemption, the strike."""

CONNECTION_LOST = ("buy", "request", "top-up", "deliver-paid", "refund-credits")
"""A new connection for every history takes its time: `harness faults` strikes them all, here these do."""

WAITING = ("buy", "checkout", "request", "complete-credit", "top-up", "deliver-paid")
"""The same for operations that wait for locks."""

GHOSTS = (("complete-stripe",), 147)
"""Operations whose ghosts take turns with the retry of their client, and the histories of two preemptions."""


BY_DAY = "cut-after-send", "error"
"""A cancel strikes where an error does, and the other two cut a connection, too: by night."""


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=() if fault in BY_DAY else pytest.mark.nightly) for fault in EVERY]
)
def test_the_reference_survives_it_everywhere(server: AnyServer, tmp_path: Path, fault: str) -> None:
    operations = None if fault in ("cancel", "error") else [*CONNECTION_LOST]
    document = swept(server, tmp_path, "reference", operations, [fault], bound=1)
    assert (document["verdict"], document["leaks"]) == ("holds", 0)
    judged = {each["id"]: each["verdict"] for each in document["properties"]}
    # None of those few validates without buying.
    assert operations is None or judged.pop("fails-fast") == "not_applicable"
    assert {*judged.values()} == {"holds"}
    assert document["single"]["exhausted"] == document["single"]["scenarios"] == len(operations or CASES)
    assert (document["strikes"], document["histories"]) == EVERY[fault]
    assert document["unknown"]["unexplained"] == 0


def test_it_survives_ghosts_that_race_with_a_retry(server: AnyServer, tmp_path: Path) -> None:
    operations, histories = GHOSTS
    document = swept(server, tmp_path, "reference", [*operations], ["cut-after-send"])
    assert (document["verdict"], document["leaks"]) == ("holds", 0)
    assert document["single"]["exhausted"] == len(operations)
    assert document["histories"] == histories


def test_the_reference_survives_a_lock_timeout(server: AnyServer, tmp_path: Path) -> None:
    document = swept(server, tmp_path, "reference", [*WAITING], ["lock-timeout"])
    assert (document["verdict"], document["leaks"], document["never_struck"]) == ("holds", 0, [])
    failed = sum("failed:55P03" in each["happened"] for each in document["scenarios"])
    assert failed >= 3  # operations in which somebody had to wait
