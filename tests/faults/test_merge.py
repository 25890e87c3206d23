"""The parts of a sweep are the whole, and a sweep that ends early says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.db.any_server import AnyServer
from harness.faults.merge import merged_faults
from harness.faults.sweep import playable_names
from harness.report.faults import render_faults
from harness.verify.orders import Limits
from harness.verify.shards import Shard
from harness.words.errors import UsageError
from tests.faults.test_case import sweep
from tests.faults.test_sweep import swept
from tests.made_once import made_once
from tests.verify.test_same_seed import the_same

OPERATIONS = ["complete-credit", "mark-sold"]
FAULTS = ["cancel", "error"]


@pytest.fixture(scope="module")
def parts(server: AnyServer, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The whole, and its two parts."""
    directory = tmp_path_factory.mktemp("schedules")
    made: list[dict[str, Any]] = made_once(
        tmp_path_factory,
        "fault-shards",
        lambda: [
            swept(server, directory, "published", OPERATIONS, FAULTS, pairs=10, beside=5, replays=2, shard=each)
            for each in (None, Shard(2, 2), Shard(1, 2))
        ],
    )
    return made


def test_the_parts_together_are_the_whole(parts: list[dict[str, Any]]) -> None:
    whole, *shards = parts
    assert the_same(merged_faults(shards)) == the_same(whole)
    assert all(0 < each["histories"] < whole["histories"] for each in shards)
    assert {each["verdict"] for each in shards} <= {"violated", "unbroken"}
    with pytest.raises(UsageError, match="shard 1/2 is missing"):
        merged_faults(shards[:1])


def test_a_part_that_breaks_nothing_does_not_say_that_all_holds(parts: list[dict[str, Any]]) -> None:
    quiet = {**parts[1], "verdict": "unbroken", "exit_code": 0, "properties": []}
    assert render_faults(quiet).startswith("UNBROKEN: shard 2/2 of published breaks nothing under faults")


def test_a_sweep_that_ends_early_has_not_exhausted_it_all(server: AnyServer, tmp_path: Path) -> None:
    document = swept(server, tmp_path, "reference", OPERATIONS, limits=Limits(seconds=0.05))
    assert document["limits"] == {"seconds": 0.05}
    assert document["single"]["exhausted"] < document["single"]["scenarios"]


def test_every_scenario_of_a_sweep_is_in_one_part() -> None:
    whole = sweep(pairs=100, beside=60)
    names = [playable_names(replace(whole, shard=Shard(index, 3))) for index in (1, 2, 3)]
    assert sorted(name for part in names for name in part) == sorted(playable_names(whole))
