"""The user's database, made ready for schedules: gate, scheduling points in its functions, stages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.rows import scalar_row, tuple_row

from harness.db.any_server import PREFIX, AnyServer
from harness.db.entry import entries, keeps_locks
from harness.db.instrument import install, left_behind, plan, remove
from harness.db.plan import Plan
from harness.db.stage import install_gate
from harness.engine.execution import Chooser, Run
from harness.interleave.programs import Client, Task
from harness.interleave.rules import End, Rules
from harness.verify.player import Player
from harness.verify.prepared import require_superuser
from harness.verify.stages import Stages
from harness.words.errors import UsageError
from harness.words.history import History

READ_COMMITTED = "read committed"

LOCKED_MAX_S = 10
"""How long a reset or a query of the rules may wait for somebody else's lock, seconds: it would be for ever."""

_NO_PLAN = Plan((), (), (), ())


class Ground:
    """A database that the harness made, on which programs are run; a context manager.

    ``dsn`` is a superuser's. ``local`` and ``core`` are as for ``Stages``. Its functions have scheduling points from
    the first ``prepare`` on, until it is left.
    """

    def __init__(self, dsn: str, *, local: bool, core: int | None) -> None:
        self._dsn = dsn
        self._local = local
        self._core = core
        self._stages: dict[str, Stages] = {}
        self._players: dict[tuple[str, str], Player] = {}
        self._exits = ExitStack()
        self._prepared: tuple[Any, ...] = ()
        self.plan = _NO_PLAN
        self.digest = ""
        """Of the functions as they are without points: a schedule says nothing about others."""

    def __enter__(self) -> Self:
        self.connection: Connection[Any] = self._stages_of("").connection
        name = self.connection.info.dbname
        if not name.startswith(PREFIX):
            self._exits.close()
            raise UsageError(
                "not-our-database",
                f"the fixture database leads to {name!r}",
                expected="a database that the harness made: functions are instrumented in no other",
                remedy="take one from the fixture server: with server.database() as dsn",
            )
        self.connection.execute(f"SET lock_timeout TO '{LOCKED_MAX_S}s'".encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._exits:
            if not self.connection.closed:
                self._give_back()

    def prepare(self, schemas: Sequence[str] | None) -> None:
        """Put scheduling points into the functions of ``schemas`` (None: of all), as they are now.

        Raises ``UsageError`` for a schema that does not exist.
        """
        chosen = _all_schemas(self.connection) if schemas is None else list(schemas)
        signature = (chosen, _signature(self.connection))
        if signature == self._prepared:
            return
        self._prepared = ()
        if not _has_gate(self.connection):
            install_gate(self.connection)
        self._give_back()
        self.plan = plan(self.connection, chosen)
        install(self.connection, self.plan)
        self.digest = _digest([item.head + item.source for item in self.plan.rewritten])
        self._players.clear()
        self._prepared = (chosen, _signature(self.connection))

    def _give_back(self) -> None:
        """Take the points out wherever they are: the test may have changed or dropped functions since."""
        remove(self.connection, left_behind(self.connection, _all_schemas(self.connection)))

    def player(self, isolation: str, role: str) -> Player:
        """Who plays tasks in sessions of this isolation level and role."""
        if (isolation, role) not in self._players:
            entered: Mapping[str, frozenset[int]] = entries(self.plan) if isolation == READ_COMMITTED else {}
            self._players[isolation, role] = Player(
                self._stages_of(role).at(isolation), Client(), entered, keeps_locks=keeps_locks(self.plan)
            )
        return self._players[isolation, role]

    def _stages_of(self, role: str) -> Stages:
        if role not in self._stages:
            stages = Stages(self._dsn, local=self._local, core=self._core, role=role)
            self._stages[role] = self._exits.enter_context(stages)
        return self._stages[role]


def ground_of(server: AnyServer, database: Any, core: int | None) -> Ground:
    """The ground of a test: its fixture ``database`` is a psycopg connection, or a DSN.

    Raises ``HarnessError`` for a server on which our role is no superuser.
    """
    require_superuser(server)
    if isinstance(database, Connection):
        info = database.info
        database = make_conninfo(info.dsn, password=info.password) if info.password else info.dsn
    if not isinstance(database, str):
        raise UsageError(
            "not-our-database",
            f"the fixture database is a {type(database).__name__}",
            expected="a psycopg connection, or a DSN",
            remedy="let your fixture give the DSN",
        )
    return Ground(database, local=server.local, core=core)


class Trial:
    """Tasks on prepared ground, one session each, ready to be run as often as one likes (``engine.campaign.Trial``)."""

    def __init__(self, ground: Ground, tasks: Sequence[Task], rules: Rules, isolation: str, role: str) -> None:
        self.tasks = tuple(tasks)
        self._connection = ground.connection
        self._rules = rules
        self._player = ground.player(isolation, role)
        self._cast = self._player.cast({str(number): [task] for number, task in enumerate(tasks)})
        self._start: End | None = None

    def run(self, chooser: Chooser) -> tuple[Run, History]:
        """Reset, run under ``chooser``, read the end. Raises what ``Player.play`` and the rules raise.

        Raises ``UsageError`` when the invariant does not hold before anything has run.
        """
        self._rules.restore(self._connection)
        if self._start is None:
            self._start = self.start()
        run, calls = self._player.play(*self._cast, chooser)
        acted = {decision.chosen for decision in run.decisions}
        if idle := [task.name for number, task in enumerate(self.tasks) if number not in acted]:
            raise UsageError(
                "no-round-trip",
                f"{', '.join(idle)} asked the server nothing",
                expected="programs that use the connection that they are given",
                remedy="look for another connection in them: what is done on that one is in no schedule",
            )
        told = [task.told[-1] for task in self.tasks]
        for task in self.tasks:
            task.told.clear()
        return run, History(calls, self._start, self._rules.read(self._connection, told), tuple(run.events))

    def start(self) -> End:
        """What there is before a run."""
        if callable(self._rules.invariant):
            return End(Rules(self._rules.reset, None, self._rules.state).read(self._connection, ()).rows)
        start = self._rules.read(self._connection, ())
        if start.broken:
            raise UsageError(
                "bad-rule",
                f"the invariant of interleave does not hold after the reset, before anything has run: {start.broken}",
                remedy="mend the reset, or the invariant",
            )
        return start


def _all_schemas(connection: Connection[Any]) -> list[str]:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(_SCHEMAS).fetchall()


def _signature(connection: Connection[Any]) -> list[Any]:
    """Changes whenever a function, a trigger or a rule does."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(_VERSIONS).fetchall()


def _has_gate(connection: Connection[Any]) -> bool:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute("SELECT to_regprocedure('harness.point(integer)')").fetchone() is not None


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(sorted(texts)).encode()).hexdigest()[:16]


_SCHEMAS = r"""
SELECT nspname FROM pg_namespace
 WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'harness') ORDER BY 1"""

_VERSIONS = """
SELECT tableoid::text, oid::text, xmin::text FROM pg_proc WHERE oid >= 16384
UNION ALL SELECT tableoid::text, oid::text, xmin::text FROM pg_trigger
UNION ALL SELECT tableoid::text, oid::text, xmin::text FROM pg_rewrite WHERE oid >= 16384
 ORDER BY 1, 2"""
