"""The fixture ``interleave``: a test's own programs, run in every order, judged, told and saved for a replay."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.engine.execution import Hang
from harness.explore.strategies import STRATEGIES
from harness.interleave.alchemy import engine
from harness.interleave.exploration import Exploration, Order
from harness.interleave.ground import READ_COMMITTED, Ground
from harness.interleave.programs import Program, tasks
from harness.interleave.rules import End, Invariant, Reset, Rules
from harness.interleave.snapshot import snapshot
from harness.report.interleaving import explored, failure
from harness.verify.document import write_text
from harness.verify.enquiry import seed_of
from harness.verify.prepared import telling_of_a_lost_server
from harness.words.errors import HarnessError, UsageError
from harness.words.recording import Recording
from harness.words.schedule import Schedule

if TYPE_CHECKING:
    from sqlalchemy import Engine

WIDTH = 100
"""Columns of a failure's report, wherever it is read."""

ISOLATIONS = (READ_COMMITTED, "repeatable read", "serializable")


class Unproved(AssertionError):
    """The programs broke a rule, or nothing was proved. Its text is the report."""


class Ending(NamedTuple):
    """What one schedule led to."""

    results: list[str]
    """Of each program, in their order: ``ok (returned=1)``, ``failed 23514``, ``busy 40P01``."""
    state: list[dict[str, Any]]
    steps: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Of one test: its id, the seed of the run, how many schedules are asked for on the command line and by default."""

    test: str
    seed: int
    schedules_wanted: int | None
    schedules_default: int
    schedule_files: Path
    replay: Recording | None
    say: Callable[[str], None]
    """Takes a line for the report."""


class Interleave:
    """Call it with programs. Whatever is wrong is raised as ``Unproved``, with the run that shows it."""

    def __init__(self, ground: Ground, circumstances: Circumstances) -> None:
        self._ground = ground
        self._here = circumstances
        self._calls = 0

    def __call__(
        self,
        *programs: Program,
        reset: Reset | None = None,
        invariant: Invariant | None = None,
        state: str | None = None,
        deadlocks: bool = False,
        schedules: int | None = None,
        strategy: str = "mixture",
        preemptions: int | None = None,
        isolation: str = READ_COMMITTED,
        role: str = "",
        schemas: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Run the programs at the same time, each on a connection of its own, under many schedules.

        ``reset`` (SQL, or a function of a connection) puts the database back before each; without it all tables and
        sequences are put back as they were when this was called. ``invariant`` (SQL that
        answers true; or a function of a connection and the results, that asserts or answers True or False) must hold
        after each. ``state`` is a query for what the programs work on: with it, what they return and what they leave
        must be that of some order in which they run one after the other. A deadlock breaks a rule, unless ``deadlocks``
        says that the application tries again. At most ``schedules`` are run. ``strategy`` "exhaustive" stops at
        ``preemptions``. Functions of ``schemas`` get scheduling points; by default those of all.

        Returns how much was explored. Raises ``Unproved``.
        """
        __tracebackhide__ = True
        self._calls += 1
        replay = self._here.replay if self._here.replay and self._here.replay.scenario == self._test else None
        wanted = self._here.schedules_wanted or schedules or self._here.schedules_default
        with _raised_as_unproved(), self._rules(reset, invariant, state, deadlocks, schemas) as rules:
            exploration = self._exploration(programs, rules, wanted, strategy, preemptions, isolation, role)
            document = exploration.explore() if replay is None else exploration.replay(replay)
        if replay is None:
            self._here.say(explored(document))
        else:
            self._here.say(f"replayed {replay.property}: {document['verdict']}")
        if document["verdict"] != "holds":
            raise Unproved(self._failure(document, exploration.recording))
        return document

    def once(
        self,
        *programs: Program,
        schedule: Schedule = (),
        reset: Reset | None = None,
        invariant: Invariant | None = None,
        state: str | None = None,
        deadlocks: bool = False,
        isolation: str = READ_COMMITTED,
        role: str = "",
        schemas: Sequence[str] | None = None,
    ) -> Ending:
        """The same for one schedule, such as Hypothesis draws (``harness.interleave.drawing.schedules``)."""
        __tracebackhide__ = True
        with _raised_as_unproved(), self._rules(reset, invariant, state, deadlocks, schemas) as rules:
            exploration = self._exploration(programs, rules, 1, "mixture", None, isolation, role)
            document, run, history = exploration.once(schedule)
        if document["verdict"] != "holds":
            raise Unproved(self._failure(document, None))
        end = history.final
        assert isinstance(end, End)
        return Ending(exploration.results(history), [dict(row) for row in end.rows], run.steps)

    def engine(self, connection: Any) -> Engine:
        """SQLAlchemy's Engine on the connection of a program."""
        return engine(connection)

    @property
    def _test(self) -> str:
        return self._here.test if self._calls == 1 else f"{self._here.test} #{self._calls}"

    @contextmanager
    def _rules(
        self,
        reset: Reset | None,
        invariant: Invariant | None,
        state: str | None,
        deadlocks: bool,
        schemas: Sequence[str] | None,
    ) -> Iterator[Rules]:
        """On ground that is prepared, with everything put back at the end if nobody says how to."""
        if invariant is None and state is None:
            raise UsageError(
                "bad-rule",
                "interleave was given neither an invariant nor a state",
                expected="something that can be wrong",
                remedy="give invariant=, state=, or both",
            )
        self._ground.prepare(schemas)
        if reset is not None:
            yield Rules(reset, invariant, state, deadlocks)
            return
        with snapshot(self._ground.connection) as taken:
            yield Rules(taken.restore, invariant, state, deadlocks)

    def _exploration(
        self,
        programs: Sequence[Program],
        rules: Rules,
        schedules: int,
        strategy: str,
        preemptions: int | None,
        isolation: str,
        role: str,
    ) -> Exploration:
        _check(strategy, isolation, schedules)
        order = Order(
            test=self._test,
            schedules=schedules,
            strategy=strategy,
            preemptions=preemptions,
            isolation=isolation,
            role=role,
            seed=seed_of(self._here.seed, self._test),
        )
        return Exploration(self._ground, tasks(programs), rules, order)

    def _failure(self, document: dict[str, Any], recording: Recording | None) -> str:
        document = document | {"seed": self._here.seed}
        command = ""
        if recording is not None:
            file = self._here.schedule_files / (re.sub(r"[^\w.-]+", "-", recording.scenario).strip("-") + ".json")
            try:
                write_text(file, recording.to_json())
                command = f"pytest {quote(self._here.test)} --harness-replay={quote(str(file))}"
            except HarnessError as error:
                command = f"(the schedule is not saved: {error})"
        return failure(document, command, width=WIDTH)


@contextmanager
def _raised_as_unproved() -> Iterator[None]:
    """What is wrong with the call, or kept it from running, is one line of the report."""
    __tracebackhide__ = True
    try:
        with telling_of_a_lost_server():
            yield
    except HarnessError as error:
        raise Unproved(str(error)) from error.__cause__
    except Hang as hang:
        raise Unproved(f"HANG: {hang.why}\n{hang.picture}") from None


def _check(strategy: str, isolation: str, schedules: int) -> None:
    for what, given, known in (("strategy", strategy, STRATEGIES), ("isolation", isolation, ISOLATIONS)):
        if given not in known:
            raise UsageError("bad-rule", f"there is no {what} {given!r}", expected=" or ".join(known))
    if schedules < 1:
        raise UsageError("bad-rule", f"{schedules} schedules were asked for", expected="at least 1")
