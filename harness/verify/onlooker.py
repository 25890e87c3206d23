"""Who watches one run of a trial and writes down what its sessions could not tell: what was there when.

After each step it reads what is committed, by the subject's own probes, and of each wait the lock that is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from harness.db.observer import Awaited, Observer
from harness.engine.execution import Chooser, Clock, Run
from harness.marketplace.start import State
from harness.verify.answers import Answer
from harness.verify.sightings import Sighting
from harness.verify.trial import Trial
from harness.words.history import Call, History


class Onlooker:
    """A ``harness.engine.campaign.Trial`` that runs another one and looks on; and the clock of that run.

    ``committed`` is the state after each step (-1: before the first one), ``awaited`` the lock that a session waits for
    since a step, ``opened`` the steps that were the first of a transaction, ``sightings`` what points have told of
    variables, ``answers`` the rows that came back to the clients, and ``calls`` what these were told in the end.
    ``blind`` says why nothing can be told: a session had locked a whole table that the probes read.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._observer = Observer(trial.player.stage)
        self._question = trial.world.question(trial.connection)
        self._clock: Clock | None = None
        self._current: dict[int, int] = {}
        self.committed: dict[int, State] = {}
        self.awaited: dict[tuple[int, int], Awaited] = {}
        self.opened: set[int] = set()
        self.sightings: list[Sighting] = []
        self.answers: list[Answer] = []
        self.calls: Sequence[Call] = ()
        self.blind = ""

    def run(self, chooser: Chooser) -> tuple[Run, History]:
        """As the trial; one step at a time."""
        try:
            run, history = self._trial.run(_Single(chooser), self._beside)
        finally:
            self._observer.turn_away()
        self.calls = history.calls
        return run, history

    def _beside(self, clock: Clock) -> Clock:
        self._clock = clock
        return self

    def begins(self, step: int, session: int) -> None:
        assert self._clock is not None
        self._clock.begins(step, session)
        self._current[session] = step
        if step == 0:
            self._observer.take_told()  # by the calls of the prologue
            self._look(-1)
        self._observer.listen(session)
        if self._observer.begins_transaction(session):
            self.opened.add(step)

    def settled(self, step: int) -> None:
        assert self._clock is not None
        self._clock.settled(step)
        # What a session does that is woken belongs to the step in which it began to wait.
        self.sightings += [
            Sighting(self._current[session], session, told) for session, told in self._observer.take_told()
        ]
        self.answers += [Answer(self._current[session], session, rows) for session, rows in self._observer.take_rows()]
        self._look(step)

    def waits(self, step: int, session: int) -> None:
        assert self._clock is not None
        self._clock.waits(step, session)
        if (found := self._observer.awaited(session)) is not None:
            self.awaited[step, session] = found

    def _look(self, step: int) -> None:
        if self.blind:
            return
        try:
            self.committed[step] = self._trial.world.state(self._observer.look(self._question))
        except psycopg.errors.LockNotAvailable as error:
            said = error.diag.message_primary or "a table is locked"
            self.blind = f"what is committed could not be read at step {step}: {said}"


class _Single:
    """A chooser whose sessions come to a halt after each step."""

    def __init__(self, chooser: Chooser) -> None:
        self.choose = chooser.choose

    def stretch(self, position: int, enabled: tuple[int, ...], chosen: int) -> int:
        del position, enabled, chosen
        return 0
