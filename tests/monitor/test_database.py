"""What is read from a database: what is counted and what is not, in a role that can only read, without waiting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.monitor import database as module
from harness.monitor.database import Database, opened
from harness.monitor.threshold import Grade
from harness.words.errors import CouldNotRun, HarnessError, UsageError
from tests.monitor.books import MONITOR, Books, as_monitor, database_of

HOUR = 3600.0


@pytest.fixture
def eye(marketplace: str) -> Iterator[Database]:
    """The database in the role that can only read."""
    with opened(as_monitor(marketplace)) as database:
        yield database


def test_where_nothing_was_sold_there_is_no_data(books: Books, eye: Database) -> None:
    books.purchase(books.lead(), status="pending")
    sold = eye.sold(HOUR)
    assert (sold.grade, sold.reason) == (Grade.NO_DATA, "no purchase was ever completed")
    assert [reading.grade for reading in eye.times(HOUR)] == [Grade.NO_DATA, Grade.NO_DATA]


def test_leads_that_were_sold_once_are_well(books: Books, eye: Database) -> None:
    for _ in range(3):
        books.purchase(books.lead(1), books.lead(1))
    sold = eye.sold(HOUR)
    assert (sold.grade, sold.value, sold.counted, sold.leads) == (Grade.OK, 0, 3, ())


def test_a_lead_in_two_completed_purchases_alarms_whatever_its_count_says(books: Books, eye: Database) -> None:
    lead = books.lead(1)
    books.purchase(lead, books.lead(1), ago=7200)
    books.purchase(lead)
    sold = eye.sold(HOUR)
    assert (sold.grade, sold.value, sold.leads) == (Grade.ALERT, 1, (str(lead),))
    assert sold.figures == {"sold_count_above_one": 0, "in_several_purchases": 1}


@pytest.mark.parametrize("status", ["pending", "failed", "cancelled", "refunded", "refund_required"])
def test_a_purchase_that_was_not_completed_sold_nothing(books: Books, eye: Database, status: str) -> None:
    lead = books.lead(1)
    books.purchase(lead)
    books.purchase(lead, status=status)
    assert eye.sold(HOUR).value == 0


def test_a_sold_count_above_one_alarms_however_long_ago(books: Books, eye: Database) -> None:
    books.allow_double_sales()
    leads = [books.lead(2) for _ in range(7)]
    books.purchase(leads[0], ago=40 * 86400)
    sold = eye.sold(HOUR)
    assert (sold.grade, sold.value) == (Grade.ALERT, 7)
    assert sold.leads == tuple(sorted(map(str, leads)))[:5]


def test_a_lead_that_is_wrong_in_both_ways_is_one_lead(books: Books, eye: Database) -> None:
    books.allow_double_sales()
    lead = books.lead(2)
    books.purchase(lead)
    books.purchase(lead)
    sold = eye.sold(HOUR)
    assert sold.value == 1
    assert sold.figures == {"sold_count_above_one": 1, "in_several_purchases": 1}


def test_times_are_told_by_method_and_rank(books: Books, eye: Database) -> None:
    for tenth in range(1, 101):
        books.purchase(took=tenth / 100)
    books.purchase(method="stripe", took=4)
    books.purchase(method="stripe", took=6)
    credits, stripe = eye.times(HOUR)
    assert credits.figures == {"p50": 0.5, "p95": 0.95, "max": 1.0, "above_alert": 0}
    assert (credits.grade, credits.counted, credits.value) == (Grade.OK, 100, 0.95)
    assert (stripe.grade, stripe.counted, stripe.value) == (Grade.ABOVE_EXPECTED, 2, 6)


def test_one_that_took_too_long_alarms(books: Books, eye: Database) -> None:
    for _ in range(99):
        books.purchase()
    books.purchase(took=10.5)
    credits, _ = eye.times(HOUR)
    assert (credits.grade, credits.value, credits.worst) == (Grade.ALERT, 0.1, 10.5)
    assert credits.figures["above_alert"] == 1


def test_what_was_completed_before_the_window_is_not_asked(books: Books, eye: Database) -> None:
    books.purchase(took=60, ago=301)
    books.purchase(took=0.2, ago=290)
    credits, _ = eye.times(300)
    assert (credits.counted, credits.worst) == (1, 0.2)
    assert eye.sold(300).counted == 1


def test_a_purchase_with_credits_takes_the_time_that_its_transaction_took(
    books: Books, eye: Database, marketplace: str
) -> None:
    lead, buyer = books.lead(), Books(books.connection).workspace
    books.connection.execute("INSERT INTO workspace_credits VALUES (%s, 100)", [buyer])
    with psycopg.connect(marketplace, autocommit=True) as client:
        client.execute("BEGIN")
        client.execute("SELECT create_lead_purchase(gen_random_uuid(), %s, %s, 'credits')", [buyer, [lead]])
        client.execute("SELECT pg_sleep(0.1)")
        done = "SELECT success FROM marketplace_purchases AS p, complete_credit_lead_purchase(p.id, %s, 10)"
        assert client.execute(done, [buyer]).fetchall() == [(True,)]
        client.execute("COMMIT")
    credits, _ = eye.times(HOUR)
    assert credits.value is not None
    assert 0.1 <= credits.value < 10


def test_nothing_can_be_written_even_by_the_owner(books: Books, marketplace: str) -> None:
    with opened(marketplace) as database, pytest.raises(HarnessError, match="read-only transaction"):
        database._read("INSERT INTO workspaces (name) VALUES ('x') RETURNING id", {})
    assert books.connection.execute("SELECT count(*) FROM workspaces").fetchone() == (1,)


def test_the_role_can_write_nothing_and_read_no_balance(books: Books, marketplace: str) -> None:
    books.purchase(books.lead(1))
    with psycopg.connect(as_monitor(marketplace), autocommit=True) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (MONITOR,)
        for statement in (
            "UPDATE leads SET sold_count = 0",
            "DELETE FROM marketplace_purchases",
            "SELECT balance FROM workspace_credits",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_a_session_is_left_as_it_was(marketplace: str) -> None:
    def settings(connection: psycopg.Connection[Any]) -> list[Any]:
        return [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in module.SETTINGS]

    with opened(marketplace) as database:
        before = settings(database._connection)
        database.sold(HOUR)
        database.times(HOUR)
        assert settings(database._connection) == before


@pytest.mark.parametrize(
    ("patience", "said"),
    [
        ({"lock_timeout": "50ms"}, "a table was locked for longer"),
        ({"lock_timeout": "0", "statement_timeout": "50ms"}, "the database had no answer within"),
    ],
)
def test_it_does_not_wait_for_long(
    books: Books, eye: Database, monkeypatch: pytest.MonkeyPatch, patience: dict[str, str], said: str
) -> None:
    monkeypatch.setattr(module, "SETTINGS", {**module.SETTINGS, **patience})
    with books.connection.transaction(force_rollback=True):
        books.connection.execute("LOCK TABLE marketplace_purchases")
        readings = [eye.sold(HOUR), *eye.times(HOUR)]
    assert {(reading.grade, reading.failed) for reading in readings} == {(Grade.NOT_MEASURED, True)}
    assert all(reading.reason.startswith(said) for reading in readings)
    books.purchase(books.lead(1))
    assert eye.sold(HOUR).grade is Grade.OK


@pytest.mark.parametrize("name", ["published", "before"])
def test_the_document_s_own_tables_are_read_without_the_indexes(server: AnyServer, name: str) -> None:
    with database_of(server, name) as dsn, psycopg.connect(dsn, autocommit=True) as owner, opened(dsn) as eye:
        books = Books(owner)
        lead = books.lead(2)
        books.purchase(lead, took=3)
        books.purchase(lead, method="stripe", took=3)
        sold, credits, stripe = eye.sold(HOUR), *eye.times(HOUR)
    assert (sold.value, sold.leads) == (1, (str(lead),))
    assert sold.figures == {"sold_count_above_one": 1, "in_several_purchases": 1}
    assert (credits.grade, stripe.grade) == (Grade.ABOVE_EXPECTED, Grade.OK)


def test_another_database_is_told_apart(database: str) -> None:
    with opened(database) as eye, pytest.raises(UsageError, match=r"not the marketplace's.*no-marketplace"):
        eye.sold(HOUR)


def test_a_role_without_rights_is_told_what_it_lacks(marketplace: str) -> None:
    with opened(marketplace) as eye:
        eye._connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
        eye._connection.execute("SET ROLE anon")
        with pytest.raises(UsageError, match=r"permission denied for table .*marketplace_monitor.*not-readable"):
            eye.times(HOUR)


def test_a_database_that_is_down_is_no_wrong_option() -> None:
    with pytest.raises(CouldNotRun, match="database-unreachable"), opened("host=127.0.0.1 port=1 dbname=x"):
        pass
    with pytest.raises(UsageError, match="dsn-syntax"), opened("postgresql://a@b@c/d"):
        pass
