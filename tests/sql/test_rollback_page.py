"""docs/rollback.md does what it says: its commands are run as they stand there, and its lists are those of the SQL."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from harness.db.any_server import AnyServer
from harness.db.binaries import choose_binaries
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from tests.sql.test_grants import MONITORED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "rollback.md").read_text(encoding="utf-8")
COMMANDS = [re.sub("^   ", "", block, flags=re.MULTILINE) for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)]
SUBJECT = load_subject("reference", bundled("sql"))


def shell(command: str, dsn: str) -> None:
    """A block of the page, with the psql of the embedded server; everything that it says must be done."""
    parts = conninfo_to_dict(dsn)
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    told = {name: str(parts[part]) for name, part in names.items() if parts.get(part)}
    path = f"{choose_binaries('auto').directory}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=os.environ | told | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ERROR" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def catalog(connection: psycopg.Connection[Any]) -> set[tuple[str, str]]:
    """Tables and functions."""
    return set(
        connection.execute(
            "SELECT 'table', relname::text FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace"
        )
    )


def rights(connection: psycopg.Connection[Any]) -> set[tuple[str, str, str]]:
    """(role, table or column of a table, privilege) of everybody but the owner."""
    return set(
        connection.execute(
            "SELECT grantee, table_name || '.' || column_name, privilege_type"
            " FROM information_schema.column_privileges WHERE grantor <> grantee AND table_schema = 'public'"
        )
    )


def test_its_commands_go_up_and_down(server: AnyServer, database: str) -> None:
    up, back, again, down = COMMANDS
    server.ensure_roles((*SUBJECT.roles, "marketplace_before"))
    with psycopg.connect(database, autocommit=True) as connection:
        shell(up, database)
        everything = catalog(connection)
        connection.execute("INSERT INTO workspaces (name) VALUES ('w')")
        assert len(everything) > 25
        before = rights(connection)
        # That role belongs to the whole server, and other tests have it.
        shell(back.replace("CREATE ROLE marketplace_before", "SELECT 1"), database)
        assert {role for role, _, _ in rights(connection) - before} == {"marketplace_before"}
        shell(again, database)
        assert rights(connection) == before
        shell(down, database)
        assert catalog(connection) == {thing for thing in everything if thing[0] == "table"} | {
            ("function", "refuse_ledger_change()")
        }
        for path in SUBJECT.migrations[1:]:
            connection.execute(path.read_bytes())
        assert catalog(connection) == everything
        assert connection.execute("SELECT name FROM workspaces").fetchall() == [("w",)]


def test_its_roles_are_those_of_the_subject() -> None:
    assert set(re.findall(r"CREATE ROLE (\w+)[;']", PAGE)) == {*SUBJECT.roles, "marketplace_before"}


def test_its_table_has_every_way_back_from_the_last_to_the_first() -> None:
    listed = re.findall(r"`(\d{14}_\w+)`", PAGE.partition("## Taking back migrations")[2])
    files = [path.stem for path in SUBJECT.down]
    assert listed[0] == files[0]
    assert listed[-1] == files[-1]
    assert [name for name in files if name in listed] == listed
    first, last = re.findall(r"`(\d{14}_\w+)` to `(\d{14}_\w+)`", PAGE)[0]
    between = files[files.index(first) + 1 : files.index(last)]
    assert set(files) == {*listed, *between}


def test_its_numbers_are_those_of_the_grants(server: AnyServer, database: str) -> None:
    words = {4: "four", 9: "nine"}
    server.ensure_roles(SUBJECT.roles)
    with psycopg.connect(database, autocommit=True) as connection:
        for path in SUBJECT.migrations:
            connection.execute(path.read_bytes())
        row = connection.execute(
            "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND has_function_privilege('marketplace_api', oid, 'EXECUTE')"
        ).fetchone()
    assert row is not None
    assert f"may execute its {words[row[0]]} functions" in PAGE
    assert f"may read {words[sum(map(len, MONITORED.values()))]} columns" in PAGE


@pytest.mark.parametrize("name", re.findall(r"`(tests/[\w/.]+)`", PAGE))
def test_the_tests_that_it_names_are_there(name: str) -> None:
    assert (ROOT / name).is_file()
