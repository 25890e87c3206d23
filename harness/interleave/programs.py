"""The programs of a test: plain functions and coroutine functions of a connection, and what comes of them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from inspect import iscoroutine, iscoroutinefunction
from types import coroutine
from typing import Any

import psycopg
from psycopg import pq

from harness.db.controlled import ControlledConnection, RoundTrip
from harness.db.lent import AwaitingConnection, BlockingConnection, blocking
from harness.words.errors import UsageError
from harness.words.history import Result, Status

Program = Callable[[Any], Any]
"""What a session does, with its connection as the only argument."""

BUSY = {"40001", "40P01", "55P03"}
"""serialization_failure, deadlock_detected, lock_not_available: try again, nothing was changed."""

RAISED = "P0001"
"""What RAISE EXCEPTION gives if it is told nothing else: only its message says which refusal it is."""

_IDLE = (pq.TransactionStatus.IDLE, pq.TransactionStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Task:
    """A program with the name of its session.

    ``told`` gets what it returned or raised, newest last; ``said`` what its errors said, by their codes.
    """

    name: str
    program: Program
    told: list[Any] = field(default_factory=list, compare=False)
    said: dict[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return self.name


def tasks(programs: Sequence[Program]) -> list[Task]:
    """Named for their functions; those of one name are numbered."""
    names = [_name(program) for program in programs]
    often = Counter(names)
    seen: Counter[str] = Counter()
    named = []
    for name, program in zip(names, programs, strict=True):
        seen[name] += 1
        named.append(Task(f"{name} {seen[name]}" if often[name] > 1 else name, program))
    return named


def _name(program: Program) -> str:
    while isinstance(program, partial):
        program = program.func
    name = getattr(program, "__name__", type(program).__name__)
    return "program" if name == "<lambda>" else str(name)


class Client:
    """Runs a task on its session's connection: awaits a coroutine function, calls any other on a greenlet."""

    async def perform(self, owner: ControlledConnection, task: Task) -> Result:
        """What the program returned, or the error that it ended in; then what it left open is rolled back."""
        try:
            if iscoroutinefunction(task.program):
                value = await _under_schedule(task.program(AwaitingConnection(owner)))
                if isinstance(value, psycopg.AsyncCursor):
                    value = _answer(await value.fetchall() if value.description else [])
            else:
                value = await blocking(BlockingConnection(owner), partial(_call, task.program))
        except Exception as error:
            task.told.append(error)
            if isinstance(error, UsageError):
                raise
            if owner.pgconn.transaction_status not in _IDLE:
                with contextlib.suppress(psycopg.Error):
                    await AwaitingConnection(owner).rollback()
            result = result_of(error)
            task.said[result.code] = str(error).strip().partition("\n")[0]
            return result
        task.told.append(value)
        return Result(Status.OK, "", () if value is None else (("returned", comparable(value)),))


@coroutine
def _under_schedule(program: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Hands the round trips of a coroutine on; what else it waits for needs an event loop, and there is none."""
    go_on: Callable[[], Any] = partial(program.send, None)
    while True:
        try:
            trip = go_on()
        except StopIteration as stop:
            return stop.value
        if trip is None:  # asyncio.sleep(0): whose turn it is, the schedule says
            go_on = partial(program.send, None)
            continue
        if not isinstance(trip, RoundTrip):
            program.close()
            raise UsageError(
                "no-event-loop",
                f"a coroutine waited for a {type(trip).__name__}",
                expected="coroutines that wait for their connection alone",
                remedy="leave sleeps, tasks and other clients out of it",
            )
        try:
            answer = yield trip
        except GeneratorExit:
            program.close()
            raise
        except BaseException as error:
            go_on = partial(program.throw, error)
        else:
            go_on = partial(program.send, answer)


def _call(program: Program, connection: BlockingConnection) -> Any:
    value = program(connection)
    if iscoroutine(value):
        value.close()
        raise UsageError(
            "hidden-coroutine",
            f"the program {_name(program)} is no coroutine function, but returned a coroutine",
            expected="async def, or functools.partial of one",
            remedy="write async def instead of lambda",
        )
    if isinstance(value, psycopg.Cursor):
        return _answer(value.fetchall() if value.description else [])
    return value


def _answer(rows: list[Any]) -> Any:
    """What a statement answered: its rows; of one with a single column, that value."""
    if len(rows) == 1 and isinstance(rows[0], tuple) and len(rows[0]) == 1:
        return rows[0][0]
    return rows or None


def result_of(error: Exception) -> Result:
    """An error by its SQLSTATE, whoever wrapped it; by its type's name when it is none of the database."""
    database = _database_error(error)
    if database is None:
        message = (("message", str(error)),) if isinstance(error, AssertionError) else ()
        return Result(Status.FAILED, type(error).__name__, message)
    code = database.sqlstate or "08006"
    if code in BUSY:
        return Result(Status.BUSY, code)
    return Result(Status.FAILED, code, (("message", database.diag.message_primary),) if code == RAISED else ())


def _database_error(error: BaseException | None) -> psycopg.Error | None:
    while error is not None:
        if isinstance(error, psycopg.Error):
            return error
        error = error.__cause__
    return None


def comparable(value: Any) -> Any:
    """``value`` as it can be compared with that of another run, and hashed."""
    if isinstance(value, list | tuple):
        return tuple(map(comparable, value))
    if isinstance(value, Mapping):
        return tuple((str(name), comparable(part)) for name, part in value.items())
    if isinstance(value, Set):
        return tuple(sorted(map(repr, value)))
    if "__repr__" not in vars(type(value)) or type(value).__hash__ is None:
        return f"<{type(value).__qualname__}>"
    return value
