"""Shards: a verification in parts that run on different machines, and that together are the whole.

Every scenario belongs to exactly one shard. Which one depends on the scenarios and their numbers of schedules alone, so
machines that know nothing of one another leave nothing out and do nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.marketplace.scenario import Scenario
from harness.words.errors import UsageError

Planned = tuple[Scenario, int | None]
"""A scenario and how many schedules it may run (None: as many as there is time for)."""

SCHEDULES_USUAL = 100
"""What a scenario with several sessions is taken to run where only time limits it."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``index`` of ``of``, counted from 1."""

    index: int
    of: int

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"

    def of_all(self, planned: Sequence[Planned]) -> list[Planned]:
        """What this shard has to do, in the order of ``planned``. Raises ``UsageError`` where a shard has nothing."""
        if self.of > len(planned):
            raise UsageError(
                "too-many-shards",
                f"--shard {self} deals {len(planned)} scenarios out to {self.of} shards",
                expected=f"at most {len(planned)} shards",
                remedy="give fewer, or select more scenarios",
            )
        return dealt(planned, self.of)[self.index - 1]


def dealt(planned: Sequence[Planned], shards: int) -> list[list[Planned]]:
    """The scenarios in so many parts of about the same cost: the dearest first, each to the part with least to do."""
    parts: list[list[int]] = [[] for _ in range(shards)]
    costs = [0] * shards
    for number in sorted(range(len(planned)), key=lambda number: (-_cost(planned[number]), number)):
        part = min(range(shards), key=lambda part: (costs[part], part))
        parts[part].append(number)
        costs[part] += _cost(planned[number])
    return [[planned[number] for number in sorted(part)] for part in parts]


def _cost(planned: Planned) -> int:
    """In operations that are run: of a single session there is one schedule, whatever it is allowed."""
    scenario, quota = planned
    schedules = 1 if len(scenario.sessions) == 1 else SCHEDULES_USUAL if quota is None else quota
    return 1 + schedules * len(scenario.operations)
