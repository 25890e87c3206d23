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
    "cut-after-send": (216, 2136),
    "error": (191, 348),
}
"""Fault to the number of steps that it strikes, and of histories: all there are within the sweep's bound."""


@pytest.mark.parametrize("fault", EVERY)
def test_the_reference_survives_it_everywhere(server: AnyServer, tmp_path: Path, fault: str) -> None:
    document = swept(server, tmp_path, "reference", None, [fault])
    assert (document["verdict"], document["leaks"]) == ("holds", 0)
    assert [each["id"] for each in document["properties"] if each["verdict"] != "holds"] == []
    assert document["single"]["exhausted"] == document["single"]["scenarios"] == len(CASES)
    assert (document["strikes"], document["histories"]) == EVERY[fault]
    assert document["unknown"]["unexplained"] == 0


def test_the_reference_survives_a_lock_timeout(server: AnyServer, tmp_path: Path) -> None:
    document = swept(server, tmp_path, "reference", None, ["lock-timeout"])
    assert (document["verdict"], document["leaks"], document["never_struck"]) == ("holds", 0, [])
    failed = sum("failed:55P03" in each["happened"] for each in document["scenarios"])
    assert failed >= 5  # operations in which somebody had to wait
