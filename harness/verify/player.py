"""Plays blocks of operations on a stage: who asks for what, under a schedule, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from harness.db.controlled import ControlledConnection
from harness.db.stage import PostgresStage, Program
from harness.engine.execution import Chooser, Clock, Execution, Run
from harness.engine.recorder import Recorder
from harness.marketplace.block import Nemesis
from harness.verify.blame import blame_faults
from harness.words.errors import CouldNotRun
from harness.words.fault import Strike
from harness.words.history import Call, Result

Cast = Sequence[Program | Strike]
"""What stands on the stage: a client program, or who strikes one of them."""


class Client(Protocol):
    """Who carries operations out."""

    async def perform(self, connection: Any, operation: Any, /) -> Result:
        """Carry it out on the session's connection."""


class Player:
    """``entries`` are the functions that a call enters in one step, ``keeps_locks`` says that none of them gives back a
    lock before it ends (``harness.db.entry`` for both).
    """

    def __init__(
        self, stage: PostgresStage, client: Client, entries: Mapping[str, frozenset[int]], *, keeps_locks: bool
    ) -> None:
        self.stage = stage
        self._client = client
        self._entries = entries
        self._execution = Execution(stage, keeps_locks=keeps_locks)
        self._recorder = Recorder()

    async def _perform(self, connection: ControlledConnection, operation: Any) -> Result:
        """A client that has lost its connection asks for its next operation on another one."""
        return await self._client.perform(connection.live, operation)

    def cast(self, sessions: Mapping[str, Sequence[Any] | Nemesis]) -> tuple[Cast, Mapping[str, frozenset[int]]]:
        """What ``play`` wants, made once for sessions that are played often."""
        numbers = {name: number for number, name in enumerate(sessions)}
        cast: list[Program | Strike] = [
            Strike(numbers[program.session], program.fault)
            if isinstance(program, Nemesis)
            else self._recorder.program(numbers[name], program, self._perform)
            for name, program in sessions.items()
        ]
        # A nemesis must find every statement there is, the first one too.
        struck = any(isinstance(program, Nemesis) for program in sessions.values())
        return cast, {} if struck else self._entries

    def play(
        self,
        cast: Cast,
        entries: Mapping[str, frozenset[int]],
        chooser: Chooser,
        onlooker: Callable[[Clock], Clock] | None = None,
    ) -> tuple[Run, tuple[Call, ...]]:
        """Run the sessions of ``cast`` to their ends: the run, and the calls with their steps in it.

        ``onlooker`` makes what else wants to know when the sessions act; it passes everything on to what it is given.

        Raises ``Hang``, ``CouldNotRun`` for a program that left a transaction open, and what the chooser or the client
        raises; the sessions of such a run are ended.
        """
        self._recorder.clear()
        try:
            self.stage.set_scene(cast, entries)
            clock = self._recorder if onlooker is None else onlooker(self._recorder)
            run = self._execution.run(chooser, clock)
        except BaseException:
            self.stage.drop_sessions()
            raise
        if (session := self.stage.session_in_transaction()) is not None:
            self.stage.drop_sessions()
            raise CouldNotRun(
                "transaction-left-open",
                f"session {session} ended with a transaction open",
                expected="client programs that commit or roll back",
                remedy="look for the COMMIT that is missing: in the program, or in the subject's [calls]",
            )
        return run, blame_faults(self._recorder.calls(), run.events)

    def dismiss(self) -> None:
        """End all sessions: what one of them still holds must not be taken for the next run's."""
        self.stage.drop_sessions()
