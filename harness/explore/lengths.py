"""How long sessions and runs are, learned from the runs that were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.words.schedule import Decision


class Lengths:
    """The greatest number of steps seen so far, for each session and for a whole run.

    Programs take different paths under different schedules, so these are estimates; the greatest is the safe one (it
    never says that a session which goes on is over). Several samplers can share one.
    """

    def __init__(self) -> None:
        self.steps: list[int] = []
        """Steps of each session, by its number."""
        self.total = 0
        """Steps of a run."""

    def learn(self, decisions: Sequence[Decision]) -> None:
        steps = self.steps
        for session, count in Counter([decision.chosen for decision in decisions]).items():
            steps.extend([0] * (session + 1 - len(steps)))
            steps[session] = max(steps[session], count)
        self.total = max(self.total, len(decisions))
