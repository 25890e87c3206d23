"""One sparse schedule, interpreted totally: what a saved, drawn or shrunk list of switches means."""

from __future__ import annotations

from collections.abc import Sequence

from harness.explore.strategy import FOREVER
from harness.words.schedule import Decision, Schedule


class Sparse:
    """Runs ``schedule`` once: at each switch its session when that is enabled, else (and elsewhere) the default.

    Any list is valid: a switch beyond the end of the run or to a session that is not enabled does nothing; of two at
    the same position the later one counts.
    """

    name = "sparse"
    part = "sparse"

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._switches = dict(schedule)
        self._begun = False

    def begin(self) -> bool:
        if self._begun:
            return False
        self._begun = True
        return True

    def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
        if position in self._switches:
            wanted = self._switches[position]
            if wanted in enabled:
                return wanted
        # words.schedule.default_choice written out: a call would double the cost of a step.
        return current if current is not None and current in enabled else enabled[0]

    def stretch(self, position: int, _enabled: tuple[int, ...], _chosen: int) -> int:
        return min((switch - position for switch in self._switches if switch >= position), default=FOREVER)

    def end(self, decisions: Sequence[Decision]) -> None:
        pass
