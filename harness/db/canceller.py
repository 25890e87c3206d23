"""Who stands among the sessions of a run to cancel what another one is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.words.stage import CANCEL_POINT, SessionState

if TYPE_CHECKING:
    from harness.db.stage import PostgresStage


class Canceller:
    """A nemesis: its only step cancels the statement that its target is executing at that moment, if any."""

    __slots__ = (
        "at_gate",
        "cycle",
        "entered",
        "error",
        "passed",
        "point",
        "sent",
        "stage",
        "state",
        "struck",
        "target",
    )

    def __init__(self, stage: PostgresStage, target: int) -> None:
        self.stage = stage
        self.target = target
        self.state = SessionState.READY
        self.point = CANCEL_POINT
        self.error = ""
        self.cycle: tuple[int, ...] = ()
        self.passed: list[int] = []
        self.at_gate = False
        self.sent = ""
        self.entered = 0
        self.struck: int | None = None

    def advance(self, steps: int) -> None:
        del steps
        self.state = SessionState.DONE
        if self.stage.cancel(self.target):
            self.struck = self.target
