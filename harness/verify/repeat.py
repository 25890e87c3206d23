"""The same run again: what a recording holds, compared with what comes of its decisions now.

A run that is not the same again proves nothing, whatever it showed: something decides that the schedule does not say (a
clock, a random number, another client). Shuttle's ``check_uncontrolled_nondeterminism`` runs every schedule twice; here
the first run of a campaign is made again several times, and from then on every one whose number is a power of two once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.engine.campaign import Trial, fingerprint
from harness.engine.execution import Chooser, Hang, Run
from harness.explore.replay import Exact
from harness.explore.strategy import LOOK_FOR_CHANCE, Diverged
from harness.words.errors import HarnessError
from harness.words.history import Event, History
from harness.words.recording import Recording
from harness.words.schedule import Decision


class Unrepeatable(Diverged):
    """The same decisions were possible, but something else came of them."""

    def __init__(self, difference: str) -> None:
        HarnessError.__init__(
            self,
            "diverged",
            f"the same schedule gave another run: {difference}",
            remedy=LOOK_FOR_CHANCE,
        )


@dataclass(frozen=True, slots=True)
class Rerun:
    """``difference`` says what was not as before, empty when all was; ``made`` is the run, if it came to its end."""

    difference: str
    made: tuple[Run, History] | None


def run_again(
    trial: Trial,
    decisions: Sequence[Decision],
    events: Sequence[Event],
    outcome: str,
    watch: Callable[[Chooser], Chooser] = lambda chooser: chooser,
) -> Rerun:
    """Run ``decisions`` again and compare enabled sets, events and ``outcome`` (a ``fingerprint``)."""
    strategy = Exact(decisions)
    strategy.begin()
    try:
        run, history = trial.run(watch(strategy))
    except (Diverged, Hang) as error:
        return Rerun(str(error), None)
    difference = ""
    try:
        strategy.end(run.decisions)
    except Diverged as error:
        difference = str(error)
    if not difference and tuple(run.events) != tuple(events):
        difference = "the waits, wake-ups or errors were others"
    if not difference and fingerprint(history) != outcome:
        difference = "the answers or the final state were others"
    return Rerun(difference, (run, history))


def reproduced(trial: Trial, recording: Recording, times: int) -> int:
    """In how many of so many runs everything that the recording holds came again."""
    again = (run_again(trial, recording.decisions, recording.events, recording.outcome) for _ in range(times))
    return sum(not each.difference for each in again)


class Repeating:
    """A trial that makes some of its runs again (see above), ``first`` times the first of them.

    ``run`` raises ``Diverged`` for one that was not the same again.
    """

    def __init__(self, trial: Trial, first: int) -> None:
        self._trial = trial
        self._first = first
        self._runs = 0

    def run(self, chooser: Chooser) -> tuple[Run, History]:
        """As the trial itself; the run is the one made first."""
        run, history = self._trial.run(chooser)
        self._runs += 1
        if self._runs & (self._runs - 1) == 0:
            for _ in range(self._first if self._runs == 1 else 1):
                again = run_again(self._trial, run.decisions, run.events, fingerprint(history))
                if again.difference:
                    raise Unrepeatable(again.difference)
        return run, history
