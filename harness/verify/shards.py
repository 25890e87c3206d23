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
        return [each for group in self.of_groups([[each] for each in planned]) for each in group]

    def of_groups(self, groups: Sequence[Sequence[Planned]]) -> list[Sequence[Planned]]:
        """The same for scenarios that must stay together."""
        if self.of > len(groups):
            raise UsageError(
                "too-many-shards",
                f"--shard {self} deals {len(groups)} scenarios out to {self.of} shards",
                expected=f"at most {len(groups)} shards",
                remedy="give fewer, or select more scenarios",
            )
        return dealt(groups, self.of)[self.index - 1]


def dealt(groups: Sequence[Sequence[Planned]], shards: int) -> list[list[Sequence[Planned]]]:
    """The groups in so many parts of about the same cost: the dearest first, each to the part with least to do."""
    costs = [sum(map(_cost, group)) for group in groups]
    parts: list[list[int]] = [[] for _ in range(shards)]
    spent = [0] * shards
    for number in sorted(range(len(groups)), key=lambda number: (-costs[number], number)):
        part = min(range(shards), key=lambda part: (spent[part], part))
        parts[part].append(number)
        spent[part] += costs[number]
    return [[groups[number] for number in sorted(part)] for part in parts]


def _cost(planned: Planned) -> int:
    """In operations that are run: of a single session there is one schedule, whatever it is allowed."""
    scenario, quota = planned
    schedules = 1 if len(scenario.sessions) == 1 else SCHEDULES_USUAL if quota is None else quota
    return 1 + schedules * len(scenario.operations)
