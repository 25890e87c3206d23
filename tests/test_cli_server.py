"""Servers of others, and the one of ``harness db``: who is let in, what is left behind."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from harness.cli import main
from harness.db.provision import provision
from harness.db.server import Server
from tests.verify.command import harness

RUN = ("verify", "--scenario", "two-top-ups-at-once", "--max-schedules", "20")
ROLES = """
CREATE ROLE may_not_create LOGIN;
CREATE ROLE no_superuser LOGIN CREATEDB CREATEROLE;
CREATE ROLE with_password LOGIN SUPERUSER PASSWORD 'open sesame';
"""


@pytest.fixture(scope="module")
def theirs() -> Iterator[Server]:
    """A server that somebody else runs, with roles of theirs; one of them must give its password."""
    with provision("embedded") as server:
        assert isinstance(server, Server)
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(ROLES)
            rules = server.data_directory / "pg_hba.conf"
            rules.write_text("local all with_password scram-sha-256\n" + rules.read_text())
            connection.execute("SELECT pg_reload_conf()")
        yield server


def as_role(server: Server, role: str, **more: str) -> str:
    return make_conninfo(server.dsn(), user=role, **more)


def inventory(server: Server) -> dict[str, Sequence[object]]:
    """Every database, role, setting of a database, and session but ours. A backend ends a moment after its client."""
    queries = {
        "databases": "SELECT datname FROM pg_database ORDER BY 1",
        "roles": "SELECT rolname FROM pg_roles ORDER BY 1",
        "settings": "SELECT setconfig FROM pg_db_role_setting ORDER BY 1",
        "sessions": "SELECT usename FROM pg_stat_activity WHERE datname <> '' AND pid <> pg_backend_pid()",
    }
    until = monotonic() + 10
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        while True:
            found: dict[str, Sequence[object]] = {
                name: connection.execute(query.encode()).fetchall() for name, query in queries.items()
            }
            if not found["sessions"] or monotonic() > until:
                return found
            sleep(0.05)


def test_a_server_of_others_is_left_as_it_was(theirs: Server, tmp_path: Path) -> None:
    before = inventory(theirs)
    ended = harness(*RUN, cwd=tmp_path, env={"HARNESS_DSN": as_role(theirs, "with_password", password="open sesame")})
    assert ended.code == 0
    assert "HOLDS" in ended.out
    assert inventory(theirs) == before


def test_also_after_a_violation_and_a_replay(theirs: Server, tmp_path: Path) -> None:
    before = inventory(theirs)
    dsn = ("--dsn", theirs.dsn())
    run = ("--subject", "published", "--scenario", "contract-repeated-completion", "--max-schedules", "1")
    assert harness("verify", *run, *dsn, cwd=tmp_path).code == 1
    (file,) = tmp_path.glob("reports/schedules/*charged-once*")
    assert harness("replay", file, *dsn, cwd=tmp_path).code == 1
    assert harness("explore", "two-top-ups-at-once", "--isolation", "serializable", *dsn, cwd=tmp_path).code in (0, 5)
    assert inventory(theirs) == before


@pytest.mark.parametrize(
    ("role", "says"),
    [
        ("no_superuser", "the role of the DSN is no superuser; expected a superuser"),
        ("may_not_create", "the role 'may_not_create' of the DSN may not make databases"),
        ("nobody_at_all", 'role "nobody_at_all" does not exist'),
    ],
)
@pytest.mark.parametrize("command", [RUN, ("explore", "two-top-ups-at-once")])
def test_a_role_that_will_not_do(
    role: str, says: str, command: tuple[str, ...], theirs: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    before = inventory(theirs)
    assert main([*command, "--dsn", as_role(theirs, role)]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert says in line
    assert inventory(theirs) == before


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("postgresql://me:sesame@127.0.0.1:1/db", "the server of the DSN cannot be used: "),
        ("host=/nowhere/at/all user=me password=sesame", "the server of the DSN cannot be used: "),
        ("postgresql://me:sesame@[::1/db", "the DSN cannot be read; expected postgresql://user@host:5432/database or"),
        ("postgresql://me:sesame@day@127.0.0.1/db", "the DSN has two '@'"),
        ("user=me password=sesame sesame", "the DSN cannot be read"),
        ("postgresql://me@127.0.0.1:1/db?password=sesame", "the server of the DSN cannot be used: "),
    ],
)
@pytest.mark.parametrize("by_environment", [False, True])
def test_a_wrong_dsn_is_one_line_without_its_password(
    dsn: str, says: str, by_environment: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if by_environment:
        monkeypatch.setenv("HARNESS_DSN", dsn)
    assert main([*RUN, *([] if by_environment else ["--dsn", dsn])]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert says in line
    assert "sesame" not in line


def test_a_wrong_password_is_not_told(theirs: Server, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--dsn", as_role(theirs, "with_password", password="open barley")]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert 'password authentication failed for user "with_password"' in line
    assert "barley" not in line


# -- harness db -----------------------------------------------------------------------------------------------


def test_a_server_stays_until_it_is_stopped(tmp_path: Path) -> None:
    nothing = harness("db", "status", cwd=tmp_path)
    assert (nothing.code, nothing.out) == (3, "No server runs; harness db start\n")
    assert harness("db", "psql", cwd=tmp_path).complaint.endswith("no server runs; harness db start [not-running]")
    started = harness("db", "start", cwd=tmp_path)
    try:
        assert started.code == 0
        again = harness("db", "start", cwd=tmp_path)
        assert (again.code, again.out) == (0, started.out)
        status = harness("db", "status", cwd=tmp_path)
        assert status.code == 0
        asked = harness("db", "psql", "-At", "-c", "SELECT 6 * 7", cwd=tmp_path)
        assert (asked.code, asked.out, asked.err) == (0, "42\n", "")
        (dsn,) = re.findall(r"--dsn '(.*)'", started.out)
    finally:
        stopped = harness("db", "stop", cwd=tmp_path)
    assert (stopped.code, stopped.err) == (0, "")
    assert stopped.out.endswith("is stopped and removed.\n")
    (directory,) = re.findall(r"host=(\S+)", dsn)
    assert not Path(directory).exists()
    (pid,) = re.findall(r"pid (\d+)", status.out)
    assert not Path("/proc", pid).exists()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = harness("db", "start", "--port", str(port), cwd=tmp_path)
    assert ended.code == 3
    assert ended.complaint.endswith("choose another port, or none [port-in-use]")
    assert harness("db", "status", cwd=tmp_path).code == 3
