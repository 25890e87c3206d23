"""A scenario on a subject, ready to be run as often as one likes: start, prologue, schedule, end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from harness.engine.execution import Chooser, Clock, Run
from harness.explore.sparse import Sparse
from harness.marketplace.names import Names
from harness.marketplace.scenario import Scenario
from harness.marketplace.subject import Subject
from harness.marketplace.world import World
from harness.verify.player import Player
from harness.words.history import Call, History


class Trial:
    """See ``harness.engine.campaign.Trial``.

    ``connection`` is a superuser's in autocommit mode: it restores the start and reads the end, never during a run.
    ``leaks`` looks for what a run has left behind.
    ``player_of`` gives the player who speaks in the names of this scenario's world.
    """

    def __init__(
        self,
        subject: Subject,
        scenario: Scenario,
        connection: psycopg.Connection[Any],
        player_of: Callable[[Names], Player],
        leaks: Callable[[], tuple[str, ...]] | None = None,
    ) -> None:
        self.scenario = scenario
        self.connection = connection
        self._leaks = leaks
        self.world = World(subject, scenario.start, scenario.operations)
        self.world.install(connection)
        self.player = player_of(self.world.names)
        self._cast = self.player.cast(scenario.sessions)
        self._prologue = [(self.player.cast(block.sessions), block.schedule) for block in scenario.prologue]

    def run(self, chooser: Chooser, onlooker: Callable[[Clock], Clock] | None = None) -> tuple[Run, History]:
        """Restore the start, run the prologue, run the sessions under ``chooser``, read the end.

        ``onlooker`` is told of the steps of the sessions (``Player.play``). The steps of the calls of the
        prologue are negative. Raises what ``Player.play`` raises.
        """
        self.world.reset(self.connection)
        before: Sequence[Call] = ()
        for cast, schedule in self._prologue:
            run, calls = self.player.play(*cast, Sparse(schedule))
            before = [*(moved(call, -run.steps) for call in before), *(moved(call, -run.steps) for call in calls)]
        run, calls = self.player.play(*self._cast, chooser, onlooker)
        leaks = () if self._leaks is None else self._leaks()
        if leaks:
            self.player.dismiss()
        final = self.world.read(self.connection)
        history = History((*before, *calls), self.scenario.start, final, tuple(run.events), leaks)
        return run, history


def moved(call: Call, steps: int) -> Call:
    """The same call so many steps later."""
    returned = None if call.returned is None else call.returned + steps
    return replace(call, invoked=call.invoked + steps, returned=returned)
