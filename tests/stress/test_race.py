"""The seed's race, as benchmarks/race.py runs it: one winner of 100 buyers, every time."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean

import pytest

from benchmarks.race import SEED, races
from harness.db.any_server import AnyServer
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from tests.sizes import sized

ROUNDS, BUYERS = sized(12, 50), 100


def test_one_winner_of_a_hundred_every_time(server: AnyServer, record_property: Callable[[str, object], None]) -> None:
    walls: list[float] = []
    latencies: list[float] = []
    for race, violations in races(server, load_subject("reference", bundled("sql")), BUYERS, BUYERS, ROUNDS):
        assert (len(race.winners), violations) == (1, [])
        assert len(race.latencies) == BUYERS
        assert 0 < min(race.latencies) <= max(race.latencies) <= race.seconds
        walls.append(race.seconds)
        latencies += (1000 * latency for latency in race.latencies)
    assert len(walls) == ROUNDS
    record_property("the seed", SEED)
    record_property("wall time", f"{mean(walls):.2f} s ({min(walls):.2f} to {max(walls):.2f}) in {ROUNDS} rounds")
    record_property("latency", f"{mean(latencies):.0f} ({min(latencies):.0f} to {max(latencies):.0f}) ms")


@pytest.mark.parametrize("at_once", [1, 2])
def test_one_winner_also_when_they_come_one_after_the_other(at_once: int, server: AnyServer) -> None:
    for race, violations in races(server, load_subject("reference", bundled("sql")), 20, at_once, 2):
        assert (len(race.winners), violations) == (1, [])
        assert race.winners[0].session < at_once
        assert len(race.calls) == len(race.latencies) == 20


def test_the_published_functions_sell_it_more_than_once(server: AnyServer) -> None:
    # The race can fail: here it does, nearly every time.
    done = list(races(server, load_subject("published", bundled("sql")), BUYERS, BUYERS, 5))
    assert any(len(race.winners) > 1 for race, _ in done)
    assert any("sold-once" in {each.property for each in violations} for _, violations in done)
