"""The recorded run once more, with an ear to everything that its clients send: the script is what was heard.

Nothing is concluded from the recording alone. What cannot be made again is not exported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection, Cursor, sql

from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection, ControlledCursor
from harness.db.entry import BEGIN, entry
from harness.db.instrument import with_points_alone
from harness.db.plan import Plan
from harness.db.session import ClientSession
from harness.engine.execution import Chooser, Clock, Run
from harness.export.ground import naming
from harness.export.script import Answer, Place, Probe, Script, Sent, Step
from harness.export.spelling import in_dollars, spelt, tidy
from harness.marketplace.block import Nemesis
from harness.marketplace.fixtures import filling, wiping
from harness.marketplace.names import KINDS, Names
from harness.marketplace.properties import check
from harness.marketplace.scenario import Scenario
from harness.marketplace.subject import PROBES, Subject
from harness.requests.seats import MakeApp
from harness.verify.alone import staged
from harness.verify.player import Cast, Client, Player
from harness.verify.repeat import run_again
from harness.verify.story import tell_result
from harness.words.errors import CouldNotRun, UsageError
from harness.words.history import Call, EventKind, Result
from harness.words.recording import Recording
from harness.words.stage import CLIENT_POINT, Actor


def require_plain(scenario: Scenario) -> None:
    """Raises ``UsageError`` for a run with a fault in it: nobody but the harness can strike at that moment."""
    for sessions in (*(block.sessions for block in scenario.prologue), scenario.sessions):
        for program in sessions.values():
            if isinstance(program, Nemesis):
                raise UsageError(
                    "fault-not-exported",
                    f"in {scenario.name} a fault ({program.fault}) strikes {program.session}",
                    expected="a run in which clients do nothing but send statements",
                    remedy="export it --as pytest, which has the harness strike, or show it with harness replay",
                )


def rehearse(
    server: AnyServer, subject: Subject, scenario: Scenario, recording: Recording, api: MakeApp | None = None
) -> Script:
    """Run the recording again and write down what is said. The scenario has no faults (``require_plain``).

    Raises ``CouldNotRun`` for a run that was not the recorded one, and ``UsageError`` for one that cannot be written
    down.
    """
    with staged(server, subject, recording.isolation, api=api) as (_, plan, theatre):
        connection = theatre.connection
        acts: list[_Act] = []
        theatre.make_player = partial(_NotingPlayer, acts, partial(spelt, connection))
        trial = theatre.trial(scenario)
        again = run_again(trial, recording.decisions, recording.events, recording.outcome)
        if again.difference or again.made is None:
            raise CouldNotRun(
                "not-the-recorded-run",
                f"the run was not the recorded one: {again.difference}",
                expected="the same decisions, waits, answers and end",
                remedy="harness replay tells more; run verify again",
            )
        assert any(each.property == recording.property for each in check(again.made[1], scenario.properties))
        names = trial.world.names
        sessions = dict.fromkeys(
            [*scenario.sessions, *(name for block in scenario.prologue for name in block.sessions)]
        )
        casts = [list(block.sessions) for block in scenario.prologue] + [list(scenario.sessions)]
        before = -sum(act.run.steps for act in acts[:-1])
        steps: list[Step] = []
        for act, cast in zip(acts, casts, strict=True):
            steps += _steps(act, plan, cast, before + len(steps))
        passed = {step.place.function for step in steps if step.place is not None}
        role = theatre.role_of(scenario)
        return Script(
            recording=recording,
            subject=subject,
            role=(subject.client_role or "") if role is None else role,
            isolation=scenario.isolation or recording.isolation,
            sessions=tuple(sessions),
            steps=tuple(steps),
            wipes=tuple(tidy(each.text) for each in wiping(subject, connection)),
            fixtures=tuple(tidy(each.text) for each in filling(subject, names, scenario.start, connection)),
            functions=tuple(
                f"{item.head}{in_dollars(with_points_alone(item))}" for item in plan.rewritten if item.name in passed
            ),
            names=names.known,
            probes=tuple(_probes(subject, names, connection)),
        )


# -- hearing --------------------------------------------------------------------------------------------------


_Spell = Callable[[Any, Any], str]


@dataclass(slots=True)
class _Act:
    """One block of sessions: its run, its calls, and what each session sent, in order."""

    run: Run
    calls: tuple[Call, ...]
    heard: Sequence[Sequence[Sent]] = field(default_factory=list)


class _NotingPlayer(Player):
    """Plays as any player does, and keeps what was played."""

    def __init__(self, acts: list[_Act], spell: _Spell, stage: Any, client: Client, *args: Any, **kwargs: Any) -> None:
        self._heard: dict[int, list[Sent]] = {}
        self._acts = acts
        super().__init__(stage, _NotingClient(client, spell, self._heard), *args, **kwargs)

    def play(
        self,
        cast: Cast,
        entries: Mapping[str, frozenset[int]],
        chooser: Chooser,
        onlooker: Callable[[Clock], Clock] | None = None,
    ) -> tuple[Run, tuple[Call, ...]]:
        self._heard.clear()
        run, calls = super().play(cast, entries, chooser, onlooker)
        heard = [self._heard.get(pid, []) for pid in map(_backend, self.stage.actors)]
        self._acts.append(_Act(run, calls, heard))
        return run, calls


def _backend(actor: Actor) -> int:
    assert isinstance(actor, ClientSession)
    return actor.pid


class _NotingClient:
    """``heard`` has what was sent on each connection, by the process id of its backend."""

    def __init__(self, client: Client, spell: _Spell, heard: dict[int, list[Sent]]) -> None:
        self._client = client
        self._spell = spell
        self._heard = heard

    async def perform(self, connection: ControlledConnection, operation: Any) -> Result:
        ear = self._heard.setdefault(connection.pgconn.backend_pid, [])
        spell = self._spell

        class Listening(ControlledCursor):
            async def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
                ear.append(Sent(spell(query, params), Answer()))
                place = len(ear) - 1
                try:
                    cursor = await super().execute(query, params, **kwargs)
                except psycopg.Error as error:
                    said = Answer(sqlstate=error.sqlstate or "", message=error.diag.message_primary or "")
                    ear[place] = replace(ear[place], answer=said)
                    raise
                ear[place] = replace(ear[place], answer=_answer(self))
                return cursor

        connection.cursor_factory = Listening
        try:
            return await self._client.perform(connection, operation)
        finally:
            connection.cursor_factory = ControlledCursor


def _answer(cursor: ControlledCursor | Cursor[Any]) -> Answer:
    result = cursor.pgresult
    if result is None or not result.nfields:
        return Answer()
    columns = tuple((result.fname(column) or b"").decode() for column in range(result.nfields))
    rows = tuple(
        tuple(_text(result.get_value(row, column)) for column in range(result.nfields)) for row in range(result.ntuples)
    )
    return Answer(columns, rows)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


# -- writing down ---------------------------------------------------------------------------------------------


def _steps(act: _Act, plan: Plan, names: Sequence[str], first: int) -> Iterator[Step]:
    """The steps of an act whose sessions have these names, numbered from ``first``."""
    run = act.run
    places = {point.id: Place(point.id, point.function, point.line, point.sql or point.kind) for point in plan.points}
    rounds = [_rounds(sent) for sent in act.heard]
    waiting: list[int] = []
    for number, (decision, point) in enumerate(zip(run.decisions, run.points, strict=True)):
        session = decision.chosen
        sends: tuple[Sent, ...] = ()
        if number in run.statements or point == CLIENT_POINT:
            sends = next(rounds[session], ())
            if not sends:
                raise UsageError(
                    "not-exported",
                    f"step {number} sends what its client's library made up, not the client",
                    expected="clients that send their own statements",
                    remedy="export it --as pytest, or show it with harness replay",
                )
        before = [*waiting]
        victim = None
        for event in run.events:
            if event.step != number:
                continue
            if event.kind is EventKind.WAIT and event.session not in waiting:
                waiting.append(event.session)
            elif event.kind is EventKind.WAKE:
                waiting.remove(event.session)
            elif event.kind is EventKind.DEADLOCK:
                victim = names[event.session]
        yield Step(
            number=first + number,
            session=names[session],
            sends=sends,
            place=places.get(point),
            stops=tuple(names[each] for each in dict.fromkeys([session, *before]) if each not in waiting),
            waits=tuple(names[each] for each in waiting),
            victim=victim,
            title=next((_title(c.operation) for c in act.calls if c.session == session and c.invoked == number), ""),
            told=tuple(f"{names[c.session]}: {tell_result(c.result)}" for c in act.calls if c.returned == number),
        )


def _rounds(heard: Sequence[Sent]) -> Iterator[tuple[Sent, ...]]:
    """What a session sent, step by step: what opens a transaction goes with the statement after it."""
    opening: tuple[Sent, ...] = ()
    for sent in heard:
        if entry(sent.text) == BEGIN:
            opening = (*opening, sent)
        else:
            yield (*opening, sent)
            opening = ()
    if opening:
        yield opening


def _probes(subject: Subject, names: Names, connection: Connection[Any]) -> Iterator[Probe]:
    """Every probe of the subject with what it says now, names instead of ids, in an order of its own."""
    connection.execute(naming(names.known).encode())
    for probe, text in subject.probes.items():
        columns = [
            sql.SQL("harness.name_of({0}::text) AS {0}" if column in (*KINDS, "id") else "{0}::text AS {0}").format(
                sql.Identifier(column)
            )
            for column in PROBES[probe]
        ]
        # A line of its own for the bracket: the probe may end in a comment.
        query = sql.SQL("SELECT {} FROM (\n{}\n) AS probe ORDER BY 1, 2").format(
            sql.SQL(", ").join(columns), sql.Composed([sql.SQL(spelt(connection, text, {}))])
        )
        with connection.cursor() as cursor:
            yield Probe(probe, query.as_string(connection), _answer(cursor.execute(query)))


def _title(operation: Any) -> str:
    """``CompleteCredit p A 10``."""
    values = (getattr(operation, part.name) for part in fields(operation))
    return " ".join([type(operation).__name__, *(_word(value) for value in values)])


def _word(value: Any) -> str:
    return "+".join(value) if isinstance(value, tuple) else "NULL" if value is None else str(value)
