"""What the sessions of one process have reached in the functions under test, for coverage."""

from __future__ import annotations


class Reached:
    """The points and marks that were reached, by their ids; ``marks`` of them there are, from 1.

    Sessions are asked to announce only the marks that nobody has seen, for an announcement costs more than all that a
    silent mark does.
    """

    __slots__ = ("_marks", "marks", "points")

    def __init__(self, marks: int = 0) -> None:
        self._marks = marks
        self.points: set[int] = set()
        self.marks: set[int] = set()

    @property
    def unseen(self) -> list[int]:
        """The marks that nobody has seen."""
        return [mark for mark in range(1, self._marks + 1) if mark not in self.marks]

    @property
    def told(self) -> frozenset[int]:
        """What was reached, as ``harness.db.plan.Site.told_by`` has it."""
        return frozenset(self.points).union(-mark for mark in self.marks)
