"""Client programs on a real server: what they tell, on an event loop and driven by hand."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal

import psycopg
import pytest
from psycopg import waiting

from harness.db.any_server import AnyServer
from harness.db.controlled import ControlledConnection, connect_controlled
from harness.marketplace.calls import Client, exact
from harness.marketplace.names import Names
from harness.marketplace.operations import (
    Buy,
    CompleteCredit,
    CompleteStripe,
    MarkSold,
    Operation,
    Sweep,
    TopUp,
    UpdatePrice,
    Validate,
)
from harness.marketplace.start import LeadStart, Start
from harness.marketplace.world import World
from harness.words.errors import UsageError
from harness.words.history import Result, Status
from tests.marketplace.foreign import installed, subject_of

TEN = Decimal(10)
START = Start({"A": Decimal(15)}, {"L1": LeadStart(TEN), "L2": LeadStart(TEN)})
ASKED: Operation = CompleteCredit("p", "A", TEN)
OK = Status.OK


class Desk:
    """A client on a connection that is driven by hand. ``sent`` has the statements that made a round trip."""

    def __init__(self, connection: ControlledConnection) -> None:
        self.connection = connection
        self.names = Names("uuid", START, ["p"])
        self.sent: list[str] = []

    def ask(self, *statements: str, operation: Operation = ASKED, refusals: Mapping[str, str] | None = None) -> Result:
        """Carry one operation out by these statements."""
        compiled = {code: re.compile(pattern) for code, pattern in (refusals or {}).items()}
        name = {CompleteCredit: "complete_credit", MarkSold: "mark_sold", Validate: "validate"}[type(operation)]
        subject = dataclasses.replace(subject_of("foreign"), calls={name: statements}, refusals=compiled)
        return self.drive(Client(subject, self.names), operation)

    def drive(self, client: Client, operation: Operation) -> Result:
        self.sent.clear()
        program = client.perform(self.connection, operation)
        try:
            trip = program.send(None)
            while True:
                self.sent.append(self.connection.take_statement())
                try:
                    answer = waiting.wait(trip.generator, self.connection.pgconn.socket)
                except psycopg.Error as error:
                    trip = program.throw(error)
                else:
                    trip = program.send(answer)
        except StopIteration as stop:
            result: Result = stop.value
            return result

    @property
    def idle(self) -> bool:
        return self.connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE


@contextmanager
def desk_on(dsn: str) -> Iterator[Desk]:
    connection = connect_controlled(dsn)
    try:
        yield Desk(connection)
    finally:
        connection.pgconn.finish()


@pytest.fixture
def desk(module_database: str) -> Iterator[Desk]:
    with desk_on(module_database) as desk:
        yield desk


def refused(code: str) -> Result:
    return Result(Status.REFUSED, code)


def test_every_round_trip_is_a_statement_of_the_subject(server: AnyServer) -> None:
    subject = subject_of("foreign")
    with installed(subject, server) as connection, desk_on(connection.info.dsn) as desk:
        world = World(subject, START, [Buy("A", ("L1",), "p"), Buy("A", ("L2",), "q")])
        world.install(connection)
        client = Client(subject, world.names)
        bought = desk.drive(client, Buy("A", ("L1",), "p"))
        assert bought == Result(OK, "", (("already_completed", False), ("balance", Decimal(5))))
        assert desk.sent == [*subject.calls["buy"]]
        assert desk.drive(client, Buy("A", ("L2",), "q")) == refused("insufficient_credits")
        assert desk.sent == [*subject.calls["buy"][:3], "ROLLBACK"]
        assert dict(world.read(connection).purchases) == {"p": "completed"}
        with pytest.raises(
            UsageError, match=r"subject\.toml:62: \[calls\] has no sweep; expected sweep = \[statements"
        ):
            desk.drive(client, Sweep())


def test_columns_of_the_last_row_are_parameters_of_later_statements(desk: Desk) -> None:
    asked = desk.ask(
        "SELECT n AS a, 2 * n AS balance FROM generate_series(1, 3) AS n",
        "SELECT %(a)s::int * 100 + %(balance)s AS balance WHERE %(amount)s = 10",
    )
    assert asked == Result(OK, "", (("balance", Decimal(306)),))


def test_without_a_row_columns_are_null_and_nothing_is_judged(desk: Desk) -> None:
    asked = desk.ask(
        "SELECT false AS success, 'no' AS refuse, 7 AS a WHERE false",
        "SELECT %(a)s::int IS NULL AS already_completed",
    )
    assert asked == Result(OK, "", (("already_completed", True),))


def test_refuse_ends_a_call_and_rolls_back(desk: Desk) -> None:
    asked = desk.ask("BEGIN", "SELECT 'too_late' AS refuse, 1 AS balance", "SELECT 1/0", "COMMIT")
    assert asked == refused("too_late")
    assert desk.sent[2:] == ["ROLLBACK"]
    assert desk.idle
    assert desk.ask("SELECT NULL AS refuse").status is OK


def test_no_success_is_a_refusal_unless_it_was_done_before(desk: Desk) -> None:
    known = {"a": "gone|sold", "b": "poor"}
    assert desk.ask("SELECT false AS success, 'too poor' AS error_message", refusals=known) == refused("b")
    assert desk.ask("SELECT false AS success, 'so what' AS error_message", refusals=known) == refused("raised")
    assert desk.ask("SELECT NULL::bool AS success", refusals=known) == refused("raised")
    assert desk.ask("SELECT true AS success, 'too poor' AS error_message", refusals=known).status is OK
    asked = desk.ask("SELECT false AS success, true AS already_completed, 'sold' AS error_message", refusals=known)
    assert asked == Result(OK, "", (("already_completed", True),))


def test_done_ends_a_call_at_once_and_keeps_what_was_done(desk: Desk) -> None:
    asked = desk.ask("BEGIN", "SELECT true AS already_completed, true AS done", "SELECT 1/0", "COMMIT")
    assert asked == Result(OK, "", (("already_completed", True),))
    assert desk.sent == ["BEGIN", "SELECT true AS already_completed, true AS done", "COMMIT"]
    assert desk.ask("SELECT false AS done", "SELECT 3 AS balance") == Result(OK, "", (("balance", Decimal(3)),))


def raising(message: str, sqlstate: str = "P0001") -> str:
    return f"DO $$ BEGIN RAISE '{message}' USING ERRCODE = '{sqlstate}'; END $$"


@pytest.mark.parametrize(
    ("statement", "result"),
    [
        (raising("L1 is gone"), refused("a")),
        (raising("L1 is gone", "23505"), refused("a")),
        (raising("nobody knows this"), refused("raised")),
        (raising("nobody knows this", "23505"), Result(Status.FAILED, "23505")),
        ("SELECT 1/0", Result(Status.FAILED, "22012")),
        (raising("L1 is gone", "55P03"), Result(Status.BUSY, "55P03")),
        (raising("x", "40001"), Result(Status.BUSY, "40001")),
        (raising("x", "40P01"), Result(Status.BUSY, "40P01")),
        ("DO $$ BEGIN PERFORM * FROM nowhere; END $$", Result(Status.FAILED, "42P01")),
        ("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)", Result(Status.FAILED, "57014")),
    ],
    ids=str,
)
def test_what_an_error_means(statement: str, result: Result, desk: Desk) -> None:
    known = {"a": "gone"}
    assert desk.ask(statement, "SELECT 1 AS balance", refusals=known) == result
    assert desk.sent == [statement]
    assert desk.ask("BEGIN", statement, "COMMIT", refusals=known) == result
    assert desk.sent == ["BEGIN", statement, "ROLLBACK"]
    assert desk.idle


def test_a_commit_can_fail(desk: Desk) -> None:
    desk.connection.pgconn.exec_(b"CREATE TEMP TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    asked = desk.ask("BEGIN", "INSERT INTO t VALUES (1), (1)", "COMMIT")
    assert asked == Result(Status.FAILED, "23505")
    assert desk.sent[-1] == "COMMIT"
    assert desk.idle


@pytest.mark.parametrize("opening", [(), ("BEGIN",)], ids=["alone", "inside"])
def test_whoever_loses_the_connection_does_not_know(opening: tuple[str, ...], desk: Desk) -> None:
    ending = ("COMMIT",) if opening else ()
    asked = desk.ask(*opening, "SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(60)", *ending)
    assert asked == Result(Status.UNKNOWN, "57P01")
    assert desk.ask("SELECT 1") == Result(Status.FAILED, "08003")
    assert desk.sent == []


def test_answers_are_told_in_names_and_exact_amounts(desk: Desk) -> None:
    leads = "ARRAY[%(leads)s[2], %(leads)s[1], 'ffffffff-0000-0000-0000-000000000000'::uuid]"
    leads = leads.replace("%(leads)s", "(%(leads)s::uuid[])")
    marked = desk.ask(f"SELECT {leads} AS lead_ids_marked", operation=MarkSold(("L1", "L2")))
    assert marked["marked"] == ("L1", "L2", "ffffffff-0000-0000-0000-000000000000")
    validated = desk.ask("SELECT %(leads)s::uuid[] AS lead_ids", operation=Validate("A", ("L2", "elsewhere", "L1")))
    assert validated["leads"] == ("L1", "L2", "elsewhere")
    assert desk.ask("SELECT %(leads)s::uuid[] AS marked", operation=MarkSold(None)) == Result(OK)
    asked = desk.ask("SELECT 40.00 AS new_credit_balance, NULL::bool AS already_completed, '{}'::uuid[] AS marked")
    assert asked == Result(OK, "", (("balance", Decimal(40)),))
    assert str(asked["balance"]) == "40"


def test_exact_amounts_print_alike() -> None:
    given = (Decimal("40.00"), Decimal("0.050"), Decimal("1E+2"), 7, Decimal("-0.10"), Decimal("NaN"), Decimal("0.00"))
    assert [str(exact(amount)) for amount in given] == ["40", "0.05", "100", "7", "-0.1", "NaN", "0"]


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (["SELECT 1", "SELECT %(total)s"], r"complete_credit: statement 2 needs %\(total\)s; expected a field of the"),
        (["SELEC 1"], r"toml:\d+: complete_credit: the server refused statement 1: syntax error at"),
        (["SELECT f()"], r"the server refused statement 1: function f\(\) does not exist"),
        (["SELECT 1 AS already_completed"], r"column already_completed is 1; expected true, false or NULL"),
        (["SELECT 1.5::float AS balance"], r"column balance is 1\.5; expected an exact number: cast it to numeric"),
        (["SELECT true AS balance"], r"column balance is True; expected an exact number"),
        (["SELECT 1 AS refuse"], r"column refuse is 1; expected a text with a code, or NULL"),
        (["SELECT 'L1' AS lead_ids"], r"column lead_ids is 'L1'; expected an array of lead ids"),
        (["BEGIN", "SELECT 1 AS refuse", "COMMIT"], r"column refuse is 1"),
    ],
    ids=str,
)
def test_what_the_subject_gets_wrong_is_said(statements: list[str], message: str, desk: Desk) -> None:
    with pytest.raises(UsageError, match=message + r".*\[bad-call\]"):
        desk.ask(*statements)


def test_a_client_remembers_nothing_of_the_call_before(desk: Desk) -> None:
    client = Client(
        dataclasses.replace(
            subject_of("foreign"),
            calls={
                "top_up": ("SELECT 1 AS extra", "SELECT %(top_up)s::text = 't' AS already_completed"),
                "complete_stripe": ("SELECT NULL AS a", "SELECT %(extra)s"),
                "update_price": ("SELECT %(price)s",),
            },
        ),
        desk.names,
    )
    assert desk.drive(client, TopUp("t")) == desk.drive(client, TopUp("t"))
    with pytest.raises(UsageError, match=r"needs %\(extra\)s"):
        desk.drive(client, CompleteStripe("p"))
    assert desk.drive(client, UpdatePrice("L1", TEN)) == Result(OK)
