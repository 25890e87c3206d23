"""One run: a strategy chooses, one session at a time takes a step, and the stage settles before the next choice.

A settled state is one in which every session is ready at a scheduling point, truly blocked, or done. What is true of
locks comes from the server only; time says when to ask it, never what the answer is. The rules that make a run the same
whenever its choices are the same:

- A session that waits for a lock is in a state of its own: it is not enabled, and what it does when it is woken
  belongs to the step that woke it.
- With two or more waiters, all are frozen during a step, and the woken ones go on one at a time, first come first
  served.
- A deadlock's victim is the session that closed the cycle. PostgreSQL picks the one whose ``deadlock_timeout`` fires
  first afterwards, so the other members are frozen until it is over; and since a frozen backend must not be caught
  inside the deadlock check itself, no step is started while the timeout of a waiter is about to fire.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.words.history import Event, EventKind
from harness.words.schedule import Decision
from harness.words.stage import CANCEL_POINT, FOREIGN, SessionState, Stage

READY, RUNNING, BLOCKED, DONE = SessionState

_FIRST_LOOK_S = 0.00015
"""A step inside a function takes 20 to 100 microseconds; after this long it is worth asking the server."""
_LONGEST_LOOK_S = 0.005


_LONGEST_STRETCH = 64


class Chooser(Protocol):
    """The part of a strategy that a run needs (``harness.explore.strategy``)."""

    def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
        """The session that takes step ``position``."""

    def stretch(self, position: int, enabled: tuple[int, ...], chosen: int) -> int:
        """For how many steps from ``position`` on ``choose`` would say ``chosen`` again, ``enabled`` being the same."""


class Clock(Protocol):
    """Who wants to know when the sessions act: the recorder."""

    def begins(self, step: int, session: int) -> None:
        """``session`` starts step number ``step`` (and perhaps goes on for some more)."""

    def settled(self, step: int) -> None:
        """Everything that the clients were told since was told in step ``step``."""


class Hang(Exception):
    """A run that does not settle: a session neither goes on nor waits for a session of the run."""

    def __init__(self, why: str, picture: str, run: Run) -> None:
        super().__init__(why)
        self.why = why
        self.picture = picture
        self.run = run


@dataclass(slots=True)
class Run:
    """What was done and seen, in order.

    ``points`` has for each step the scheduling point at which the chosen session stood (or that it passed on its way
    into a function), ``statements`` for those on the client what was sent to the server; ``events`` what is worth
    a line in a report besides (waits, wake-ups, errors, cancels), and together with ``decisions`` what a replay must
    reproduce.
    """

    decisions: list[Decision] = field(default_factory=list)
    points: list[int] = field(default_factory=list)
    statements: dict[int, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return len(self.decisions)


class Execution:
    """Runs schedules on a stage.

    ``hang_after_s``: a running session that neither arrives anywhere nor waits for a session of the run for so many
    seconds is a hang.
    """

    def __init__(self, stage: Stage, *, hang_after_s: float = 10.0, max_steps: int = 100_000) -> None:
        self._stage = stage
        self._hang_after_s = hang_after_s
        self._max_steps = max_steps
        self._blocked: dict[int, float] = {}
        """Blocked sessions in the order in which they began to wait, with the time of that."""
        self._peers: dict[int, tuple[int, ...]] = {}
        self._frozen: list[int] = []
        self._taken: tuple[tuple[int, ...], int, int] = ((), 0, 0)
        """Of the stretch under way: who was enabled, who goes on, how many of the points it passed are written down."""

    def run(self, chooser: Chooser, clock: Clock) -> Run:
        """Run the actors that stand on the stage to their end. Raises ``Hang``, and what the chooser raises."""
        run = Run()
        stage = self._stage
        actors = stage.actors
        decisions, points = run.decisions, run.points
        choose, stretch, pump = chooser.choose, chooser.stretch, stage.pump
        current: int | None = None
        blocked = self._blocked
        blocked.clear()
        self._peers.clear()
        self._frozen.clear()
        while True:
            enabled = tuple([i for i, actor in enumerate(actors) if actor.state is READY])
            if not enabled:
                if not blocked:
                    return run
                self._await_rescue(run)
                clock.settled(len(decisions) - 1)
                continue
            step = len(decisions)
            if step >= self._max_steps:
                raise Hang(f"the run has more than {self._max_steps} steps", stage.picture(), run)
            chosen = choose(step, enabled, current)
            actor = actors[chosen]
            decisions.append(Decision(enabled, current, chosen))
            points.append(actor.point)
            self._taken = (enabled, chosen, 0)
            clock.begins(step, chosen)
            if blocked:
                self._step_beside_waiters(run, chosen)
            elif actor.point == CANCEL_POINT:
                actor.advance(1)
                self._settle(run)
            else:
                # Nobody waits for this session, so nothing changes for the others while it goes on.
                actor.advance(1 + min(stretch(step + 1, enabled, chosen), _LONGEST_STRETCH))
                while actor.state is RUNNING and pump(_FIRST_LOOK_S):
                    pass
                if actor.state is RUNNING:
                    self._settle(run)
                else:
                    self._note_arrivals(run)
            if actor.struck is not None:
                run.events.append(Event(step, chosen, EventKind.CANCEL, "", (actor.struck,)))
                actor.struck = None
            if actor.sent:
                run.statements[step], actor.sent = actor.sent, ""
                if actor.entered:
                    points[step], actor.entered = actor.entered, 0
            current = chosen
            self._close_step(run, step, chosen)
            clock.settled(len(decisions) - 1)

    # -- one step ---------------------------------------------------------------------------------------------

    def _step_beside_waiters(self, run: Run, chosen: int) -> None:
        self._let_timeouts_pass()
        stage = self._stage
        frozen = self._frozen
        if len(self._blocked) > 1:
            frozen += [waiter for waiter in self._blocked if stage.freeze(waiter)]
        try:
            stage.actors[chosen].advance(1)
            self._settle(run)
            while frozen:
                # A waiter that was woken meanwhile goes on to where it settles before the next one may.
                stage.thaw(frozen.pop(0))
                self._settle(run)
        finally:
            while frozen:
                stage.thaw(frozen.pop())

    def _let_timeouts_pass(self) -> None:
        """Sleep while the deadlock timeout of a waiter is about to fire."""
        timeout = self._stage.deadlock_timeout_s
        for since in list(self._blocked.values()):
            age = time.monotonic() - since
            if timeout * 0.5 < age < timeout * 1.2:
                time.sleep(timeout * 1.2 - age)

    def _settle(self, run: Run) -> None:
        """Wait until no session runs and no waiter that is not frozen has been woken."""
        stage = self._stage
        actors = stage.actors
        patience = _FIRST_LOOK_S
        quiet_since = 0.0
        while True:
            running = [i for i, actor in enumerate(actors) if actor.state is RUNNING]
            if not running:
                self._note_arrivals(run)
                awake = [i for i in self._blocked if i not in self._frozen]
                if not awake or not self._look(run, awake):
                    return
                continue
            if stage.pump(patience):
                patience = _FIRST_LOOK_S
                quiet_since = 0.0
                continue
            now = time.monotonic()
            quiet_since = quiet_since or now
            if self._look(run, [*running, *(i for i in self._blocked if i not in self._frozen)]):
                quiet_since = 0.0
            elif now - quiet_since > self._hang_after_s:
                raise Hang(
                    f"session {running[0]} has not come to its next scheduling point for {self._hang_after_s:g} s "
                    "and waits for no session of the run",
                    stage.picture(),
                    run,
                )
            patience = min(patience * 2, _LONGEST_LOOK_S)

    def _look(self, run: Run, sessions: Sequence[int]) -> bool:
        """Ask the server about these sessions; True when one of them began or ceased to wait."""
        actors = self._stage.actors
        news = False
        for session, peers in self._stage.blockers(sessions).items():
            actor = actors[session]
            if actor.state is RUNNING and peers:
                if FOREIGN in peers:
                    continue  # somebody outside the run has the lock: that is for the watchdog
                if self._stage.pump(0.0):
                    return True  # it was told to us before it happened
                actor.state = BLOCKED
                self._stage.hold(session)
                self._count_passed(run)
                self._blocked[session] = time.monotonic()
                self._peers[session] = peers
                run.events.append(Event(run.steps - 1, session, EventKind.WAIT, "", peers))
                news = True
                if cycle := self._cycle_through(session):
                    self._break_deadlock(run, session, cycle)
            elif actor.state is BLOCKED and not peers:
                actor.state = RUNNING
                self._wake(run, session)
                news = True
            elif actor.state is BLOCKED:
                self._peers[session] = peers
        return news

    def _wake(self, run: Run, session: int) -> None:
        del self._blocked[session]
        run.events.append(Event(run.steps - 1, session, EventKind.WAKE, "", self._peers.pop(session)))

    def _count_passed(self, run: Run) -> None:
        """Write down the steps of the stretch so far: one more for each point that the session passed."""
        enabled, chosen, counted = self._taken
        actor = self._stage.actors[chosen]
        passed = actor.passed
        total = len(passed) - actor.at_gate
        if total > counted:
            run.decisions.extend([Decision(enabled, chosen, chosen)] * (total - counted))
            run.points.extend(passed[counted:total])
            self._taken = (enabled, chosen, total)

    def _note_arrivals(self, run: Run) -> None:
        self._count_passed(run)
        actors = self._stage.actors
        if self._blocked:
            for session in [i for i in self._blocked if actors[i].state is not BLOCKED]:
                self._wake(run, session)
        for session, actor in enumerate(actors):
            if actor.error:
                run.events.append(Event(run.steps - 1, session, EventKind.ERROR, actor.error))
                actor.error = ""

    @staticmethod
    def _close_step(run: Run, first_step: int, chosen: int) -> None:
        """The chosen session's events of a step come first: two messages may arrive in one read or in two."""
        events = run.events
        if len(events) > 1 and events[-2].step >= first_step:
            first = len(events)
            while first and events[first - 1].step >= first_step:
                first -= 1
            events[first:] = sorted(events[first:], key=lambda event: (event.step, event.session != chosen))

    # -- deadlocks --------------------------------------------------------------------------------------------

    def _cycle_through(self, closer: int) -> list[int]:
        """The sessions of a cycle of waits through ``closer``, closer first; empty when there is none."""
        path: list[int] = []

        def search(session: int) -> bool:
            path.append(session)
            for peer in self._peers.get(session, ()):
                if peer == closer:
                    return True
                if peer in self._blocked and peer not in path and search(peer):
                    return True
            path.pop()
            return False

        return path if search(closer) else []

    def _break_deadlock(self, run: Run, closer: int, cycle: Sequence[int]) -> None:
        """Let PostgreSQL end the cycle with ``closer`` as its victim."""
        stage = self._stage
        run.events.append(Event(run.steps - 1, closer, EventKind.DEADLOCK, "", tuple(cycle)))
        frozen = [s for s in cycle if s != closer and s not in self._frozen and stage.freeze(s)]
        try:
            deadline = time.monotonic() + stage.deadlock_timeout_s + self._hang_after_s
            while stage.actors[closer].state is BLOCKED and time.monotonic() < deadline:
                if stage.pump(_LONGEST_LOOK_S):
                    break
        finally:
            for session in frozen:
                stage.thaw(session)

    def _await_rescue(self, run: Run) -> None:
        """Every session waits and none was seen to close a cycle: PostgreSQL's detector ends it, or it is a hang."""
        deadline = time.monotonic() + self._stage.deadlock_timeout_s + self._hang_after_s
        while time.monotonic() < deadline:
            if self._stage.pump(_LONGEST_LOOK_S) or self._look(run, list(self._blocked)):
                self._settle(run)
                return
        raise Hang("every session waits for a lock, and no deadlock was broken", self._stage.picture(), run)
