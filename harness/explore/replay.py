"""A recorded run again, decision for decision, or an error that says where it went another way."""

from __future__ import annotations

from collections.abc import Sequence

from harness.explore.strategy import Diverged
from harness.words.schedule import Decision


class Exact:
    """Follows ``decisions`` once. The enabled sets are compared too: the same choices from other sets are another run.

    ``choose`` and ``end`` raise ``Diverged`` at the first difference: another enabled set, a run that goes on after the
    recorded one was over, or one that is over too soon.
    """

    name = "replay"
    part = "replay"

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self.decisions = tuple(decisions)
        self._begun = False

    def begin(self) -> bool:
        if self._begun:
            return False
        self._begun = True
        return True

    def choose(self, position: int, enabled: tuple[int, ...], _current: int | None) -> int:
        if position >= len(self.decisions):
            raise Diverged(position, None, enabled)
        recorded = self.decisions[position]
        if enabled != recorded.enabled:
            raise Diverged(position, recorded.chosen, enabled, recorded.enabled)
        return recorded.chosen

    def stretch(self, position: int, enabled: tuple[int, ...], chosen: int) -> int:
        for steps, recorded in enumerate(self.decisions[position:]):
            if recorded.chosen != chosen or recorded.enabled != enabled:
                return steps
        return len(self.decisions) - position

    def end(self, decisions: Sequence[Decision]) -> None:
        made = len(decisions)
        if made < len(self.decisions):
            recorded = self.decisions[made]
            raise Diverged(made, recorded.chosen, (), recorded.enabled)
