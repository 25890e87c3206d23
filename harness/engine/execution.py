"""One run: a strategy chooses, one session at a time takes a step, and the stage settles before the next choice.

A settled state is one in which every session is ready at a scheduling point, truly blocked, or done. What is true of
locks comes from the server only; time says when to ask it, never what the answer is. The rules that make a run the same
whenever its choices are the same:

- A session that waits for a lock is in a state of its own: it is not enabled, and what it does when it is woken
  belongs to the step that woke it.
- It is frozen until the server says that it waits no longer, and then goes on alone, first come first served: never do
  two sessions act at once. One that waits again without coming to a point has not been woken: the locks of one row
  are several, and whether we see it between two of them is a matter of time.
- A deadlock's victim is the session that closed the cycle: PostgreSQL picks the one whose ``deadlock_timeout`` fires
  first afterwards, and those of the others are frozen. No backend is frozen while that timeout is about to fire, since
  inside the deadlock check it would have all other backends wait.

Where a stage cannot freeze, all timeouts must be over before another session may close a cycle, and with two waiters a
run can differ from the next.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.engine.step_order import put_chosen_first
from harness.engine.waits import cycle_through, rename
from harness.words.history import Event, EventKind
from harness.words.schedule import Decision
from harness.words.stage import FAULT_POINT, FOREIGN, Actor, SessionState, Stage, Struck

READY, RUNNING, BLOCKED, DONE = SessionState

_FIRST_LOOK_S = 0.00015
"""A step inside a function takes 20 to 100 microseconds; after this long it is worth asking the server."""
_LONGEST_LOOK_S = 0.005
_LONGEST_STRETCH = 64

_ABOUT_TO_FIRE, _FIRED = 0.5, 1.2
"""Ages of a wait, in deadlock timeouts: one that has fired has found no cycle and is not repeated."""


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

    def waits(self, step: int, session: int) -> None:
        """In step ``step`` the server says that ``session`` waits for a lock. It has not been frozen yet."""


class Hang(Exception):
    """A run that does not settle: a session neither goes on nor waits for a session of the run."""

    def __init__(self, why: str, picture: str, run: Run) -> None:
        super().__init__(why)
        self.why = why
        self.picture = picture
        self.run = run

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.why, self.picture, self.run)


@dataclass(slots=True)
class Run:
    """What was done and seen, in order.

    ``points`` has for each step the scheduling point at which the chosen session stood (or that it passed on its way
    into a function), ``statements`` for those on the client what was sent to the server; ``events`` what is worth
    a line in a report besides (waits, wake-ups, errors, faults), and together with ``decisions`` what a replay must
    reproduce.
    """

    decisions: list[Decision] = field(default_factory=list)
    points: list[int] = field(default_factory=list)
    statements: dict[int, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    strikes: dict[int, Struck] = field(default_factory=dict)
    """By step: whom a nemesis struck, and where that one stood."""

    @property
    def steps(self) -> int:
        return len(self.decisions)


class Execution:
    """Runs schedules on a stage.

    ``hang_after_s``: a running session that neither arrives anywhere nor waits for a session of the run for so many
    seconds is a hang. ``keeps_locks``: no function under test gives back a lock before it ends (it has no EXCEPTION
    block, say), so that a session may take a stretch of steps while others wait.
    """

    def __init__(
        self, stage: Stage, *, hang_after_s: float = 10.0, max_steps: int = 100_000, keeps_locks: bool = False
    ) -> None:
        self._stage = stage
        self._hang_after_s = hang_after_s
        self._keeps_locks = keeps_locks
        self._max_steps = max_steps
        self._blocked: dict[int, float] = {}
        """Blocked sessions in the order in which they began to wait, with the time when we learned of it."""
        self._peers: dict[int, tuple[int, ...]] = {}
        """Who blocks them, by the last look; and in ``_told`` by the last event."""
        self._told: dict[int, tuple[int, ...]] = {}
        self._frozen: set[int] = set()
        self._moved = 0.0
        """When a session was last allowed to go on: no wait that we do not know of is older."""
        self._clock: Clock
        self._taken: tuple[tuple[int, ...], int, int] = ((), 0, 0)
        """Of the stretch under way: who was enabled, who goes on, how many of the points it passed are written down."""

    def run(self, chooser: Chooser, clock: Clock) -> Run:
        """Run the actors that stand on the stage to their end. Raises ``Hang``, and what the chooser raises."""
        run = Run()
        self._clock = clock
        for table in (self._blocked, self._peers, self._told):
            table.clear()
        try:
            self._play(run, chooser, clock)
        finally:
            self._thaw_all()
        return run

    def _play(self, run: Run, chooser: Chooser, clock: Clock) -> None:
        stage = self._stage
        actors = stage.actors
        decisions, points, blocked = run.decisions, run.points, self._blocked
        choose, stretch, pump, monotonic = chooser.choose, chooser.stretch, stage.pump, time.monotonic
        current: int | None = None
        while True:
            enabled = tuple([i for i, actor in enumerate(actors) if actor.state is READY])
            if not enabled:
                if not blocked:
                    return
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
            if actor.point == FAULT_POINT or (blocked and not (self._keeps_locks and stage.can_freeze)):
                if not stage.can_freeze:
                    self._let_timeouts_fire()
                self._moved = monotonic()
                actor.advance(1)
                if actor.struck is not None:
                    self._note_strike(run, actor, chosen)
                self._settle(run)
            else:
                self._moved = monotonic()
                # Nobody waits for this session, or whoever does is frozen and cannot be woken before the function ends:
                # nothing changes for the others while it goes on.
                actor.advance(1 + min(stretch(step + 1, enabled, chosen), _LONGEST_STRETCH))
                while actor.state is RUNNING and pump(_FIRST_LOOK_S):
                    pass
                if actor.state is RUNNING or blocked:
                    self._settle(run)
                else:
                    self._note_arrivals(run)
            if actor.sent:
                run.statements[step], actor.sent = actor.sent, ""
                if actor.entered:
                    points[step], actor.entered = actor.entered, 0
            current = chosen
            if blocked:
                self._tell_new_peers(run)
            put_chosen_first(run.events, step, chosen)
            clock.settled(len(decisions) - 1)

    # -- one step ---------------------------------------------------------------------------------------------

    def _settle(self, run: Run) -> None:
        """Wait until no session runs and no waiter has been woken."""
        stage = self._stage
        actors = stage.actors
        patience = _FIRST_LOOK_S
        quiet_since = 0.0
        passed = 0
        while True:
            running = [i for i, actor in enumerate(actors) if actor.state is RUNNING]
            if not running:
                self._note_arrivals(run)
                if not self._blocked or not self._look(run, list(self._blocked)):
                    return
                continue
            if stage.pump(patience):
                patience = _FIRST_LOOK_S
                quiet_since = 0.0
                continue
            now = time.monotonic()
            quiet_since = quiet_since or now
            waiting = [i for i in self._blocked if actors[i].state is BLOCKED and i not in self._frozen]
            if self._look(run, running + waiting):
                quiet_since = 0.0
            elif now - quiet_since > self._hang_after_s:
                if passed < (passed := sum(len(actors[session].passed) for session in running)):
                    quiet_since = 0.0  # a stretch of slow steps
                    continue
                self._count_passed(run)
                raise Hang(
                    f"session {running[0]} has not come to its next scheduling point for {self._hang_after_s:g} s "
                    "and waits for no session of the run",
                    stage.picture(),
                    run,
                )
            patience = min(patience * 2, _LONGEST_LOOK_S)

    def _look(self, run: Run, sessions: Sequence[int]) -> bool:
        """Ask the server about these sessions; True when one of them began or ceased to wait."""
        stage = self._stage
        actors = stage.actors
        news = False
        for session, peers in stage.blockers(sessions).items():
            actor = actors[session]
            if actor.state is RUNNING and peers:
                if FOREIGN in peers:
                    continue  # somebody outside the run has the lock: that is for the watchdog
                if stage.pump(0.0):
                    return True  # it was told to us before it happened
                self._block(run, session, peers)
                news = True
            elif actor.state is BLOCKED and peers:
                self._peers[session] = peers
            elif actor.state is BLOCKED:
                # On its way, perhaps to the next lock of the same row: woken is who arrives at a point.
                actor.state = RUNNING
                if session in self._frozen:
                    self._thaw(session)
                    return True
                news = True
        return news

    def _block(self, run: Run, session: int, peers: tuple[int, ...]) -> None:
        stage = self._stage
        actor = stage.actors[session]
        actor.state = BLOCKED
        stage.hold(session)
        self._count_passed(run)
        if session not in self._blocked:
            self._told[session] = peers
            run.events.append(Event(run.steps - 1, session, EventKind.WAIT, "", peers))
        self._blocked[session] = time.monotonic()
        self._peers[session] = peers
        self._clock.waits(run.steps - 1, session)
        if cycle := cycle_through(session, self._peers):
            self._break_deadlock(run, session, cycle)
        if actor.state is BLOCKED and stage.can_freeze:
            self._freeze(session)

    def _wake(self, run: Run, session: int) -> None:
        del self._blocked[session]
        del self._peers[session]
        run.events.append(Event(run.steps - 1, session, EventKind.WAKE, "", self._told.pop(session)))

    def _note_strike(self, run: Run, nemesis: Actor, number: int) -> None:
        """Write down whom a nemesis struck. Does that session act in its place now, then it is there that it waits."""
        struck, nemesis.struck = nemesis.struck, None
        assert struck is not None
        run.strikes[run.steps - 1] = struck
        run.events.append(Event(run.steps - 1, number, EventKind.FAULT, struck.fault, (struck.target,)))
        target = struck.target
        if self._stage.actors[number] is nemesis or target not in self._blocked:
            return
        run.events.append(Event(run.steps - 1, target, EventKind.WAKE, "", self._told[target]))
        run.events.append(Event(run.steps - 1, number, EventKind.WAIT, "", self._told[target]))
        rename(self._blocked, target, number)
        rename(self._peers, target, number)
        rename(self._told, target, number)
        if target in self._frozen:
            self._frozen.remove(target)
            self._frozen.add(number)

    def _tell_new_peers(self, run: Run) -> None:
        """Write down whom the waiters wait for now: the lock can have gone to another one of them."""
        for session in self._blocked:
            peers = self._peers[session]
            if peers != self._told[session]:
                self._told[session] = peers
                run.events.append(Event(run.steps - 1, session, EventKind.WAIT, "", peers))

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
        failed = [i for i, actor in enumerate(actors) if actor.error]
        for session in failed:
            if actors[session].cycle:
                self._note_deadlock(run, session)
        if self._blocked:
            for session in [i for i in self._blocked if actors[i].state is not BLOCKED]:
                self._wake(run, session)
        for session in failed:
            run.events.append(Event(run.steps - 1, session, EventKind.ERROR, actors[session].error))
            actors[session].error = ""

    def _note_deadlock(self, run: Run, victim: int) -> None:
        """Write down a deadlock that may have been over before we could see it."""
        actor = self._stage.actors[victim]
        cycle, actor.cycle = actor.cycle, ()
        step = run.steps - 1
        kinds = [event.kind for event in run.events if event.session == victim and event.step == step]
        if EventKind.DEADLOCK not in kinds:
            if victim not in self._blocked:
                run.events.append(Event(step, victim, EventKind.WAIT, "", cycle[1:2]))
                self._blocked[victim] = self._moved
                self._peers[victim] = self._told[victim] = cycle[1:2]
            run.events.append(Event(step, victim, EventKind.DEADLOCK, "", cycle))

    # -- deadlocks --------------------------------------------------------------------------------------------

    def _break_deadlock(self, run: Run, closer: int, cycle: Sequence[int]) -> None:
        """Let PostgreSQL end the cycle, ``closer`` being its victim; or a change in the order of a queue ends it."""
        stage = self._stage
        actor = stage.actors[closer]
        fired = time.monotonic() + stage.deadlock_timeout_s * _FIRED
        while actor.state is BLOCKED:
            if stage.pump(_LONGEST_LOOK_S) or (now := time.monotonic()) < fired:
                continue
            waits = stage.blockers(cycle)
            if not waits[closer]:
                actor.state = RUNNING  # its function has caught the error
            elif not all(waits.values()):
                return
            elif now > fired + self._hang_after_s:
                raise Hang("the server has not broken a deadlock", stage.picture(), run)
        run.events.append(Event(run.steps - 1, closer, EventKind.DEADLOCK, "", tuple(cycle)))

    def _await_rescue(self, run: Run) -> None:
        """Every session waits and none was seen to close a cycle: PostgreSQL's detector ends it, or it is a hang."""
        self._thaw_all()
        deadline = time.monotonic() + self._stage.deadlock_timeout_s + self._hang_after_s
        while time.monotonic() < deadline:
            if self._stage.pump(_LONGEST_LOOK_S) or self._look(run, list(self._blocked)):
                self._settle(run)
                return
        raise Hang("every session waits for a lock, and no deadlock was broken", self._stage.picture(), run)

    # -- freezing ---------------------------------------------------------------------------------------------

    def _freeze(self, session: int) -> None:
        """Freeze a waiter, but not in the middle of its deadlock check."""
        stage = self._stage
        timeout = stage.deadlock_timeout_s
        self._frozen.add(session)  # before it is: Ctrl-C must not leave a stopped backend behind
        stage.freeze(session)
        if time.monotonic() - self._moved > timeout * _ABOUT_TO_FIRE:
            # Late: perhaps the check has begun. Let it happen, it finds nothing.
            stage.thaw(session)
            self._sleep_until(self._blocked[session] + timeout * _FIRED)
            stage.freeze(session)

    def _thaw(self, session: int) -> None:
        self._moved = time.monotonic()
        self._stage.thaw(session)
        self._frozen.discard(session)

    def _thaw_all(self) -> None:
        for session in tuple(self._frozen):
            self._thaw(session)

    def _let_timeouts_fire(self) -> None:
        if self._blocked:
            self._sleep_until(max(self._blocked.values()) + self._stage.deadlock_timeout_s * _FIRED)

    @staticmethod
    def _sleep_until(moment: float) -> None:
        time.sleep(max(0.0, moment - time.monotonic()))
