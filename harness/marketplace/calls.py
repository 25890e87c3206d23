"""Client programs: how a subject's clients carry the operations out, statement by statement.

Ordinary psycopg code on an ``AsyncConnection`` in autocommit mode; it knows nothing of schedules. Every round trip is a
``cursor.execute``, and nothing else is awaited, so that it runs on an event loop and on a stage alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import pq

from harness.marketplace.names import KINDS, Names
from harness.marketplace.operations import (
    Buy,
    BuyCredits,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Operation,
    Read,
    Refund,
    Request,
    TopUp,
    Validate,
)
from harness.marketplace.subject import CALLS, Subject, call_name, placeholders
from harness.words.errors import UsageError
from harness.words.history import Result, Status

BUSY = ("40001", "40P01", "55P03")
"""serialization_failure, deadlock_detected, lock_not_available: try again, nothing was changed."""

TRY_AGAIN = ("key_in_progress",)
"""The refusals that say the same: somebody else is at it."""

LOST = ("08", "57P01", "57P02", "57P03")
"""How the SQLSTATEs begin after which there is no connection any more."""

ANSWERS: Mapping[type, tuple[str, ...]] = {
    Validate: ("leads",),
    Buy: ("already_completed", "balance"),
    Request: ("replayed", "purchase", "balance"),
    BuyCredits: ("replayed", "top_up"),
    Read: ("status", "leads"),
    CompleteCredit: ("already_completed", "balance"),
    CompleteStripe: ("already_completed", "marked"),
    Deliver: ("already_completed",),
    MarkSold: ("marked",),
    TopUp: ("already_completed", "balance"),
    Refund: ("already_completed",),
}
"""What an operation's ``Result.value`` tells, as far as the subject tells it."""

COLUMNS = {
    "already_completed": "already_completed",
    "replayed": "replayed",
    "purchase_id": "purchase",
    "top_up_id": "top_up",
    "status": "status",
    "balance": "balance",
    "new_credit_balance": "balance",
    "marked": "marked",
    "lead_ids_marked": "marked",
    "lead_ids": "leads",
}
"""Column of a last row to the answer that it holds."""


_INSIDE = (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR)


def exact(value: Decimal | int) -> Decimal:
    """An amount as a Decimal that prints the same however many zeros the server adds: 40.00 is 40."""
    amount = Decimal(value)
    if not amount.is_finite():
        return amount
    return amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount.normalize()


@dataclass(frozen=True, slots=True)
class _Statement:
    number: int
    text: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Call:
    operation: str
    fields: tuple[str, ...]
    answers: tuple[str, ...]
    statements: tuple[_Statement, ...]


class Client:
    """Carries operations out on connections, as ``[calls]`` of the subject says; keeps nothing between two of them."""

    def __init__(self, subject: Subject, names: Names) -> None:
        self._subject = subject
        self._names = names
        self._calls = {CALLS[name]: _compile(name, statements) for name, statements in subject.calls.items()}
        self._asked: dict[Operation, dict[str, Any]] = {}
        self._readers: dict[str, Callable[[Any], Any]] = {
            "already_completed": _flag,
            "replayed": _flag,
            "purchase": self._name,
            "top_up": self._name,
            "status": str,
            "balance": _amount,
            "marked": self._leads,
            "leads": self._leads,
        }

    async def perform(self, connection: psycopg.AsyncConnection[Any], operation: Operation) -> Result:
        """Ask for one operation and say what the client was told.

        Raises ``UsageError`` where ``subject.toml`` is at fault: no such call, a statement that the server does not
        understand, a parameter that nobody gave, a column of the wrong type.
        """
        call = self._calls.get(type(operation))
        if call is None:
            name = call_name(type(operation))
            place = self._subject.file.place("calls")
            raise UsageError("no-call", f"{place}: [calls] has no {name}", expected=f"{name} = [statements]")
        if connection.closed:
            return Result(Status.FAILED, "08003")
        try:
            result = await self._carry_out(connection, call, operation)
        except psycopg.Error as error:
            result = self._told(error, connection, call)
        if connection.pgconn.transaction_status in _INSIDE:
            await self._roll_back(connection)
        return result

    async def _carry_out(self, connection: psycopg.AsyncConnection[Any], call: _Call, operation: Operation) -> Result:
        parameters = dict(self._asked.get(operation) or self._ask(operation, call))
        answers: dict[str, Any] = {}
        cursor = connection.cursor()
        for statement in call.statements:
            try:
                chosen = {name: parameters[name] for name in statement.names}
            except KeyError as missing:
                raise self._mistake(
                    call,
                    f"statement {statement.number} needs %({missing.args[0]})s",
                    "a field of the operation or a column of an earlier statement",
                ) from None
            try:
                await cursor.execute(statement.text, chosen)
            except psycopg.Error as error:
                if _is_misspelt(error):
                    said = error.diag.message_primary
                    raise self._mistake(call, f"the server refused statement {statement.number}: {said}", "") from error
                raise
            answer = cursor.pgresult
            if answer is None or not answer.nfields:
                continue
            columns = [(answer.fname(column) or b"").decode() for column in range(answer.nfields)]
            rows = await cursor.fetchall()
            row = dict(zip(columns, rows[-1] if rows else [None] * len(columns), strict=True))
            parameters.update(row)
            if not rows:
                continue
            self._take_answers(call, row, answers)
            if code := self._refusal(call, row):
                return no(code)
            if row.get("done") is True:
                if connection.pgconn.transaction_status in _INSIDE:
                    await cursor.execute("COMMIT")
                break
        return Result(Status.OK, "", tuple([(name, answers[name]) for name in call.answers if name in answers]))

    async def _roll_back(self, connection: psycopg.AsyncConnection[Any]) -> None:
        try:
            await connection.execute("ROLLBACK")
        except psycopg.OperationalError:
            # The server rolls back a session that ended, too.
            if not connection.closed:
                raise

    def _ask(self, operation: Operation, call: _Call) -> dict[str, Any]:
        asked = self._asked[operation] = {field: self._parameter(field, operation) for field in call.fields}
        return asked

    def _parameter(self, field: str, operation: Operation) -> Any:
        value = getattr(operation, field)
        if field == "leads":
            return None if value is None else [self._names.id_of("lead", name) for name in value]
        if field == "key":
            return str(self._names.id_of(field, value))
        if field == "purchase" and value in self._names.start.top_ups:
            field = "top_up"  # events are about either
        return self._names.id_of(field, value) if field in KINDS else value

    def _take_answers(self, call: _Call, row: Mapping[str, Any], answers: dict[str, Any]) -> None:
        for column, value in row.items():
            answer = COLUMNS.get(column)
            if answer is None or value is None:
                continue
            try:
                answers[answer] = self._readers[answer](value)
            except TypeError as error:
                raise self._mistake(call, f"column {column} is {value!r:.40}", str(error)) from None

    def _refusal(self, call: _Call, row: Mapping[str, Any]) -> str:
        """The code of a no, empty for a row that is none."""
        code = row.get("refuse")
        if code is not None:
            if not isinstance(code, str) or not code:
                raise self._mistake(call, f"column refuse is {code!r:.40}", "a text with a code, or NULL")
            return code
        if "success" not in row or row["success"] is True or row.get("already_completed") is True:
            return ""
        return self._code(str(row.get("error_message") or ""))

    def _code(self, message: str) -> str:
        return next((code for code, pattern in self._subject.refusals.items() if pattern.search(message)), "raised")

    def _told(self, error: psycopg.Error, connection: psycopg.AsyncConnection[Any], call: _Call) -> Result:
        """What an error means to the client."""
        state = error.sqlstate or ""
        if connection.closed or state.startswith(LOST):
            return Result(Status.UNKNOWN, state or "08006")
        if state in BUSY:
            return Result(Status.BUSY, state)
        if not state:
            raise self._mistake(call, f"psycopg cannot carry it out: {error}", "") from error
        code = self._code(error.diag.message_primary or "")
        if code != "raised" or state == "P0001":
            return no(code)
        return Result(Status.FAILED, state)

    def _leads(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise TypeError("an array of lead ids")
        return tuple(sorted(self._names.name_of(str(each)) for each in value))

    def _name(self, value: Any) -> str:
        return self._names.name_of(str(value))

    def _mistake(self, call: _Call, seen: str, expected: str) -> UsageError:
        place = self._subject.file.place("calls", call.operation)
        return UsageError("bad-call", f"{place}: {call.operation}: {seen}", expected=expected)


def no(code: str) -> Result:
    """A refusal with this code; *busy*, when it is one of those that say that another try may help."""
    return Result(Status.BUSY if code in TRY_AGAIN else Status.REFUSED, code)


def _compile(name: str, statements: Sequence[str]) -> _Call:
    return _Call(
        name,
        tuple(field.name for field in fields(CALLS[name])),
        ANSWERS.get(CALLS[name], ()),
        tuple(_Statement(number, text, placeholders(text)) for number, text in enumerate(statements, 1)),
    )


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true, false or NULL")
    return value


def _amount(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise TypeError("an exact number: cast it to numeric")
    return exact(value)


def _is_misspelt(error: psycopg.Error) -> bool:
    """SQLSTATE class 42 (syntax error or access rule violation) in the statement itself, not in a function it calls."""
    return (error.sqlstate or "").startswith("42") and not error.diag.context
