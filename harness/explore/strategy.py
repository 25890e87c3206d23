"""What a strategy is: a few methods that see only who is runnable and who ran last.

A strategy proposes; the engine runs. One run is ``begin()``, then ``choose()`` for its steps, then ``end()`` with what
was made; ``stretch()`` lets the engine take many steps at the price of one. The shape is that of the schedulers of AWS
shuttle: one small file each, with its paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from harness.words.errors import HarnessError
from harness.words.schedule import Decision


class Strategy(Protocol):
    """Proposes schedules, one run after another."""

    name: str

    @property
    def part(self) -> str:
        """Which strategy proposed the run, where one is made of several; else the name."""

    def begin(self) -> bool:
        """Start a new run. False when there is nothing left to propose; then neither of the others is called."""

    def choose(self, position: int, enabled: tuple[int, ...], current: int | None, /) -> int:
        """The session that takes step ``position`` (from 0).

        ``enabled`` is ascending and never empty, ``current`` the session that ran last (None at first). Called in
        ascending order of position; the positions that it is not called for were part of a stretch.
        """

    def stretch(self, position: int, enabled: tuple[int, ...], chosen: int, /) -> int:
        """For how many steps from ``position`` on ``choose`` would go on with ``chosen`` if ``enabled`` stays as it is.

        Called after ``choose`` for the step before ``position``. The engine may take fewer of these steps (the session
        is done, or blocked) and then asks ``choose`` again, but never more; too small an answer only costs time.
        """

    def end(self, decisions: Sequence[Decision], /) -> None:
        """The run that was made, in order. Without it the run counts as not made."""


LOOK_FOR_CHANCE = "look for clocks, random values, other clients or changed SQL in what is tested"
"""What to do about whatever did not come again."""

FOREVER = 1 << 30
"""A stretch that only the session itself ends."""


class Diverged(HarnessError):
    """The same choices led elsewhere: what runs is not deterministic, or is not what was recorded.

    ``position`` is the step (from 0), ``wanted`` the session that had to run (None: the run had to be over),
    ``enabled`` who was enabled (empty: the run was over), ``recorded`` who had been enabled there (None: not known).
    """

    def __init__(
        self, position: int, wanted: int | None, enabled: tuple[int, ...], recorded: tuple[int, ...] | None = None
    ) -> None:
        self.position = position
        self.wanted = wanted
        self.enabled = enabled
        self.recorded = recorded
        there = f"the enabled sessions were {_listed(enabled)}" if enabled else "the run was over"
        want = "the run to be over" if wanted is None else f"session {wanted} to run"
        if recorded is not None:
            want += f" with {_listed(recorded)} enabled"
        super().__init__(
            "diverged",
            f"the run diverged: at step {position} {there}",
            expected=want,
            remedy=LOOK_FOR_CHANCE,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.position, self.wanted, self.enabled, self.recorded)


def _listed(sessions: tuple[int, ...]) -> str:
    return ", ".join(map(str, sessions)) or "none"
