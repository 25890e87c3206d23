"""A scenario on a subject, ready to be run as often as one likes: start, schedule, end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from harness.db.stage import PostgresStage, Program
from harness.engine.execution import Chooser, Execution, Run
from harness.engine.recorder import Recorder
from harness.marketplace.calls import Client
from harness.marketplace.scenario import Cancel, Scenario
from harness.marketplace.subject import Subject
from harness.marketplace.world import World
from harness.words.errors import CouldNotRun
from harness.words.history import History


class Trial:
    """See ``harness.engine.campaign.Trial``.

    ``entries`` are the functions that a call enters in one step, ``keeps_locks`` says that none of them gives back a
    lock before it ends (``harness.db.entry`` for both). ``connection`` is a superuser's in autocommit mode: it restores
    the start and reads the end, never during a run.
    """

    def __init__(
        self,
        subject: Subject,
        scenario: Scenario,
        stage: PostgresStage,
        connection: psycopg.Connection[Any],
        entries: Mapping[str, frozenset[int]],
        *,
        keeps_locks: bool,
    ) -> None:
        self.scenario = scenario
        self._stage = stage
        self._connection = connection
        self._execution = Execution(stage, keeps_locks=keeps_locks)
        self._recorder = Recorder()
        # Who cancels must find every statement there is, the first one too.
        cancels = any(isinstance(program, Cancel) for program in scenario.sessions.values())
        self._entries = {} if cancels else entries
        self._world = World(subject, scenario.start, scenario.operations)
        self._world.install(connection)
        client = Client(subject, self._world.names)
        numbers = {name: number for number, name in enumerate(scenario.sessions)}
        self._cast: list[Program | int] = [
            numbers[program.session]
            if isinstance(program, Cancel)
            else self._recorder.program(numbers[name], program, client.perform)
            for name, program in scenario.sessions.items()
        ]

    def run(self, chooser: Chooser) -> tuple[Run, History]:
        """Restore the start, run under ``chooser``, read the end.

        Raises ``Hang`` and what the chooser or the client raises; the sessions of such a run are ended.
        """
        self._recorder.clear()
        self._world.reset(self._connection)
        try:
            self._stage.set_scene(self._cast, self._entries)
            run = self._execution.run(chooser, self._recorder)
        except BaseException:
            self._stage.drop_sessions()
            raise
        if (session := self._stage.session_in_transaction()) is not None:
            self._stage.drop_sessions()
            raise CouldNotRun(
                "transaction-left-open",
                f"session {session} of {self.scenario.name} ended with a transaction open",
                expected="client programs that commit or roll back",
                remedy="look at BEGIN and COMMIT in the subject's [calls]",
            )
        history = History(
            self._recorder.calls(), self.scenario.start, self._world.read(self._connection), tuple(run.events)
        )
        return run, history
