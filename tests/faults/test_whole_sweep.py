"""The unmodified reference survives every fault at every step of every operation: so many steps, so many histories."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from tests.faults.test_sweep import CASES, swept

EVERY = {
    "cancel": (191, 348),
    "terminate": (216, 348),
    "cut-before-send": (25, 348),
    "cut-after-send": (216, 493),
    "error": (191, 348),
}
"""Fault to the number of steps that it strikes, and of histories: all there are with one preemption, the strike."""

GHOSTS = (("deliver-paid",), 184)
"""Operations whose ghosts take turns with the retry of their client, and the histories of two preemptions."""


@pytest.mark.parametrize("fault", EVERY)
def test_the_reference_survives_it_everywhere(server: AnyServer, tmp_path: Path, fault: str) -> None:
    document = swept(server, tmp_path, "reference", None, [fault], bound=1)
    assert (document["verdict"], document["leaks"]) == ("holds", 0)
    assert [each["id"] for each in document["properties"] if each["verdict"] != "holds"] == []
    assert document["single"]["exhausted"] == document["single"]["scenarios"] == len(CASES)
    assert (document["strikes"], document["histories"]) == EVERY[fault]
    assert document["unknown"]["unexplained"] == 0


def test_it_survives_ghosts_that_race_with_a_retry(server: AnyServer, tmp_path: Path) -> None:
    operations, histories = GHOSTS
    document = swept(server, tmp_path, "reference", [*operations], ["cut-after-send"])
    assert (document["verdict"], document["leaks"]) == ("holds", 0)
    assert document["single"]["exhausted"] == len(operations)
    assert document["histories"] == histories


def test_the_reference_survives_a_lock_timeout(server: AnyServer, tmp_path: Path) -> None:
    document = swept(server, tmp_path, "reference", None, ["lock-timeout"])
    assert (document["verdict"], document["leaks"], document["never_struck"]) == ("holds", 0, [])
    failed = sum("failed:55P03" in each["happened"] for each in document["scenarios"])
    assert failed >= 5  # operations in which somebody had to wait
