"""Recording: the journal has every commit once, in the order of the log, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer, Crash
from harness.db.provision import provision
from harness.load.journal import Commit, CommitJournal, JournalWriter
from harness.load.rows import EMPTY, TABLES
from harness.load.wal import Recorder
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.stress.arena import put_in_place
from harness.words.errors import CouldNotRun, UsageError

SMALL = """
CREATE TABLE workspace_credits (workspace_id text PRIMARY KEY, balance numeric);
CREATE TABLE "leads" (id text PRIMARY KEY, "no part of it" text[], price numeric, sold_count int);
CREATE TABLE elsewhere (id int);
INSERT INTO workspace_credits VALUES ('before', 1.50);
"""


@pytest.fixture
def dsn(database: str) -> str:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SMALL)
    return database


@pytest.fixture
def connection(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def slots(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()").fetchone()
    assert row is not None
    return int(row[0])


def test_every_commit_is_there_once_in_order(dsn: str, connection: psycopg.Connection[Any], tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Recorder(dsn, path, every_s=0.001) as recorder:
        assert slots(connection) == 1
        for number in range(300):
            connection.execute("INSERT INTO workspace_credits VALUES (%s, %s)", (f"w{number}", number))
            connection.execute("INSERT INTO elsewhere VALUES (1)")
    assert slots(connection) == 0
    journal = CommitJournal(path)
    assert list(journal.start()) == [["balance", "I", "before", "1.50"]]
    assert [commit.rows for commit in journal.commits()] == [
        [["balance", "I", f"w{number}", str(number)]] for number in range(300)
    ]
    assert journal.words == {"balance", "lead"}
    assert recorder.commits == 300


@pytest.mark.parametrize("value", ["it's", "a [b]:'c' d", "two\nlines", "", "null", "unchanged-toast-datum", "é 'x"])
def test_values_are_read_as_they_are(value: str, dsn: str, connection: psycopg.Connection[Any], tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Recorder(dsn, path):
        connection.execute("INSERT INTO leads VALUES (%s, %s, NULL, 1)", (value, [value, value]))
    assert [commit.rows for commit in CommitJournal(path).commits()] == [
        [["lead", "I", value or EMPTY, "", "", "", "1"]]
    ]


def test_updates_and_deletes_and_what_was_rolled_back(
    dsn: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    with Recorder(dsn, path):
        with connection.transaction(force_rollback=True):
            connection.execute("INSERT INTO workspace_credits VALUES ('never', 0)")
        with connection.transaction():
            connection.execute("UPDATE workspace_credits SET balance = -0.01")
            connection.execute("INSERT INTO leads VALUES ('in between')")
            connection.execute("DELETE FROM leads")
            connection.execute("UPDATE workspace_credits SET workspace_id = 'after'")
            connection.execute("DELETE FROM workspace_credits")
    (commit,) = CommitJournal(path).commits()
    # What there was in between nobody else has seen.
    assert commit.rows == [["balance", "D", "before", ""], ["balance", "D", "after", ""]]


def test_order_is_that_of_commits_not_of_writes(dsn: str, connection: psycopg.Connection[Any], tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Recorder(dsn, path), psycopg.connect(dsn) as other:
        other.execute("INSERT INTO workspace_credits VALUES ('written first', 0)")
        connection.execute("INSERT INTO workspace_credits VALUES ('committed first', 0)")
        other.commit()
    names = [row[2] for commit in CommitJournal(path).commits() for row in commit.rows]
    assert names == ["committed first", "written first"]


@pytest.mark.parametrize("lasting", [True, False])
def test_the_slot_goes_when_the_load_fails(
    lasting: bool, dsn: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    with pytest.raises(psycopg.errors.DivisionByZero), Recorder(dsn, path, lasting=lasting):
        connection.execute("INSERT INTO workspace_credits VALUES ('w', 1 / 0)")
    assert slots(connection) == 0
    # What may have been missed is not there, and the journal says so.
    with pytest.raises(UsageError, match="no last line"):
        list(CommitJournal(path).commits())


def test_a_truncate_is_refused(dsn: str, connection: psycopg.Connection[Any], tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match="TRUNCATE"), Recorder(dsn, tmp_path / "journal.jsonl"):
        connection.execute("TRUNCATE workspace_credits")
    assert slots(connection) == 0


def test_a_server_that_crashes_loses_and_repeats_nothing(tmp_path: Path) -> None:
    path, told = tmp_path / "journal.jsonl", list[str]()
    with provision("embedded") as server, server.database() as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SMALL)
        stop = False

        def write() -> None:
            number = 0
            while not stop:
                try:
                    with psycopg.connect(dsn, autocommit=True) as connection:
                        while not stop:
                            connection.execute("INSERT INTO workspace_credits VALUES (%s, 0)", (str(number),))
                            told.append(str(number))
                            number += 1
                except psycopg.OperationalError:
                    # It may have been committed all the same.
                    number += 1

        with Recorder(dsn, path, every_s=0.01) as recorder:
            writer = Thread(target=write)
            writer.start()
            for how in (Crash.SIGKILL, Crash.IMMEDIATE):
                before = recorder.commits
                while recorder.commits < before + 200:
                    assert writer.is_alive()
                server.crash(how)
                server.restart()
            before = recorder.commits
            while recorder.commits < before + 200:
                assert writer.is_alive()
            stop = True
            writer.join()
        names = [row[2] for commit in CommitJournal(path).commits() for row in commit.rows]
    assert names == sorted(set(names), key=int)
    assert set(told) <= set(names)
    assert len(names) - len(told) <= 2


def test_a_server_without_logical_decoding_is_told(tmp_path: Path) -> None:
    with (
        provision("embedded", settings={"wal_level": "replica"}) as server,
        server.database() as dsn,
        pytest.raises(CouldNotRun) as error,
        Recorder(dsn, tmp_path / "journal.jsonl"),
    ):
        raise AssertionError
    assert error.value.slug == "no-logical-decoding"
    assert "replica" in str(error.value)
    assert "wal_level = logical" in str(error.value)


def test_a_role_that_may_not_decode_is_told(server: AnyServer, dsn: str, tmp_path: Path) -> None:
    server.ensure_roles(["anon"])
    with pytest.raises(CouldNotRun) as error, Recorder(f"{dsn} options='-c role=anon'", tmp_path / "journal.jsonl"):
        raise AssertionError
    assert error.value.slug == "no-logical-decoding"
    assert "REPLICATION" in str(error.value)


def test_the_tables_are_those_of_the_reference(server: AnyServer, database: str) -> None:
    """A table or a column that was renamed would not be recorded, and nobody would notice."""
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    put_in_place(database, subject)
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ).fetchall()
    assert {(table, column) for table, (_, columns) in TABLES.items() for column in columns} <= set(found)


def test_a_broken_journal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with JournalWriter(path, ["lead"]) as writer:
        writer.start([["lead", "I", "l"]])
        writer.write(Commit(7, 1, 0.0, [["lead", "U", "l"]]))
        writer.write(Commit(7, 1, 0.0, [["lead", "U", "l"]]))
        writer.finish()
    assert len(list(CommitJournal(path).commits())) == 1
    whole = path.read_bytes().splitlines(keepends=True)
    for lines, what in (
        (whole[:3], "no last line"),
        ([*whole, whole[2]], "after the last one"),
        ([*whole[:2], whole[3]], "and 0 are there"),
        ([*whole[:2], b"{\n", whole[3]], "this is no commit"),
    ):
        path.write_bytes(b"".join(lines))
        with pytest.raises(UsageError, match=what) as error:
            list(CommitJournal(path).commits())
        assert error.value.slug == "bad-journal"
    path.write_text("commit journal 99\n")
    with pytest.raises(UsageError, match="this is not"):
        CommitJournal(path)
