"""A few scenarios for many: whatever meets in any of them meets in one of these."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from harness.marketplace.block import Nemesis
from harness.marketplace.scenario import Scenario


def covering(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Few of them, in which every kind of operation, every pair of kinds in two sessions and every property is met.

    The greedy answer to set cover (V. Chvatal, "A Greedy Heuristic for the Set-Covering Problem", 1979), in the order
    in which it is found; of equals the one that comes first.
    """
    left = set().union(*map(meetings, scenarios))
    chosen = []
    while left:
        best = max(scenarios, key=lambda scenario: len(meetings(scenario) & left))
        chosen.append(best)
        left -= meetings(best)
    return chosen


def meetings(scenario: Scenario) -> set[tuple[str, ...]]:
    """What a scenario puts to the test: its properties, its kinds of operations, and which of these run at once."""
    kinds = [
        {"a fault"} if isinstance(program, Nemesis) else {type(operation).__name__ for operation in program}
        for program in scenario.sessions.values()
    ]
    alone = {(kind,) for session in kinds for kind in session}
    at_once = {
        ("at once", *sorted((one, other)))
        for first, second in combinations(kinds, 2)
        for one in first
        for other in second
    }
    return alone | at_once | {("property", each) for each in scenario.properties}
