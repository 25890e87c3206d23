"""Ctrl-C, SIGTERM and SIGKILL in the middle: what is still reported, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from harness.db.any_server import Crash
from harness.db.provision import provision
from harness.db.server import Server
from tests.verify.command import Kin, Running, gone, running, server_directories

LONG = ("verify", "--scenario", "three-buyers-one-lead", "--scenario", "two-buyers-one-lead", "--budget", "100s")
ALONE = ("--workers", "1")


@contextmanager
def at_work(*arguments: str, cwd: Path) -> Iterator[tuple[Running, frozenset[Kin]]]:
    """A verification in its middle, and every process below it."""
    with running(*arguments, cwd=cwd) as command:
        command.await_sessions()
        yield command, command.family()


def nothing_is_left(family: frozenset[Kin], directories: set[Path]) -> bool:
    """No process, no socket (they lie in the server's directory), no directory."""
    deadline = time.monotonic() + 30.0
    while any(directory.exists() for directory in directories) and time.monotonic() < deadline:
        time.sleep(0.02)
    return gone(family) and not any(directory.exists() for directory in directories)


def test_ctrl_c_ends_with_a_report_of_what_there_is(tmp_path: Path) -> None:
    with at_work(*LONG, "--json", "run.json", cwd=tmp_path) as (command, family):
        directories = server_directories(family)
        command.interrupt()
        ended = command.end()
    assert ended.code == 130
    document = json.loads((tmp_path / "run.json").read_text())
    assert document["interrupted"]
    assert [each["name"] for each in document["scenarios"]] == ["three-buyers-one-lead", "two-buyers-one-lead"]
    assert "interrupted" in ended.out
    assert "Traceback" not in ended.err
    assert len(directories) == 1
    assert nothing_is_left(family, directories)


@pytest.mark.parametrize("early", ["while the server starts", "while the subject is prepared"])
def test_ctrl_c_before_the_work_has_begun(early: str, tmp_path: Path) -> None:
    with running(*LONG, cwd=tmp_path) as command:
        while not (family := command.family()):
            time.sleep(0.001)
        if early == "while the subject is prepared":
            assert command.process.stderr is not None
            assert command.process.stderr.readline() == "2 scenarios, at most 100 s\n"
            family = command.family()
        command.interrupt()
        ended = command.end()
        assert (ended.code, ended.out) == (130, "")
        assert ended.err.endswith("harness: interrupted\n")
        assert "Traceback" not in ended.err
        assert nothing_is_left(family, server_directories(family))


def test_a_violation_that_was_found_before_ctrl_c_is_reported(tmp_path: Path) -> None:
    race = (*LONG, "--scenario", "contract-repeated-completion", "--subject", "published", *ALONE)
    with running(*race, "--json", "run.json", cwd=tmp_path) as command:
        assert command.process.stderr is not None
        # The progress of a log: every few seconds a line says what was run until then.
        while "broken" not in (line := command.process.stderr.readline()):
            assert line, "it ended without a violation"
        family = command.family()
        directories = server_directories(family)
        command.interrupt()
        ended = command.end()
    assert ended.code == 1
    document = json.loads((tmp_path / "run.json").read_text())
    assert (document["interrupted"], document["exit_code"]) == (True, 1)
    assert "charged-once" in {each["id"] for each in document["properties"] if each["verdict"] == "violated"}
    assert nothing_is_left(family, directories)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGHUP, 129)])
def test_whatever_kills_it_nothing_is_left(number: signal.Signals, code: int, tmp_path: Path) -> None:
    with at_work(*LONG, *ALONE, cwd=tmp_path) as (command, family):
        directories = server_directories(family)
        os.kill(command.process.pid, number)
        assert command.process.wait(timeout=60.0) == code
        assert nothing_is_left(family, directories)
    assert len(directories) == 1
    assert not (tmp_path / "reports").exists()


def test_a_worker_that_is_killed_is_one_line(tmp_path: Path) -> None:
    with at_work(*LONG, cwd=tmp_path) as (command, family):
        directories = server_directories(family)
        victim = min(command.workers(), key=lambda kin: kin.pid)
        os.kill(victim.pid, signal.SIGKILL)
        ended = command.end()
    assert ended.code == 3
    assert ended.err.splitlines()[-1] == (
        "harness: a worker process ended with status -9; see its message above [worker-died]"
    )
    assert "Traceback" not in ended.err
    assert nothing_is_left(family, directories)


# -- on a server that stays -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs() -> Iterator[Server]:
    with provision("embedded") as server:
        assert isinstance(server, Server)
        yield server


def left_on(server: Server) -> list[tuple[object, ...]]:
    """Databases of ours, and sessions of others on the server; one that has just been closed may take a moment."""
    deadline = time.monotonic() + 10
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        while True:
            left = connection.execute(
                "SELECT datname::text FROM pg_database WHERE datname LIKE 'harness%' UNION ALL "
                "SELECT query FROM pg_stat_activity WHERE datname <> '' AND pid <> pg_backend_pid()"
            ).fetchall()
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.05)


def test_the_second_ctrl_c_ends_at_once(theirs: Server, tmp_path: Path) -> None:
    with at_work(*LONG, *ALONE, "--dsn", theirs.dsn(), cwd=tmp_path) as (command, family):
        command.interrupt()
        time.sleep(0.1)
        command.interrupt()
        ended = command.end()
        assert ended.code == 130
        assert "Traceback" not in ended.err
        assert gone(family)
    assert left_on(theirs) == []


def test_sigterm_leaves_nothing_on_a_server_of_others(theirs: Server, tmp_path: Path) -> None:
    with at_work(*LONG, *ALONE, "--dsn", theirs.dsn(), cwd=tmp_path) as (command, family):
        command.process.terminate()
        assert command.process.wait(timeout=60.0) == 143
        assert gone(family)
    assert left_on(theirs) == []


def test_workers_end_with_their_parent_and_leave_no_session_frozen(theirs: Server, tmp_path: Path) -> None:
    with at_work(*LONG, *ALONE, "--dsn", theirs.dsn(), cwd=tmp_path) as (command, family):
        command.process.kill()
        assert gone(family)
    # The databases are left, since nobody is there to drop them; whoever comes next can.
    with psycopg.connect(theirs.dsn(), autocommit=True) as connection:
        left = connection.execute("SELECT datname::text FROM pg_database WHERE datname LIKE 'harness%'").fetchall()
        assert left
        for (name,) in left:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    assert left_on(theirs) == []


def test_exploring_is_interrupted_too(theirs: Server, tmp_path: Path) -> None:
    with running("explore", "three-buyers-one-lead", "--dsn", theirs.dsn(), cwd=tmp_path) as command:
        assert command.process.stderr is not None
        assert command.process.stderr.readline() == "1 scenario, until all is explored\n"
        time.sleep(3)
        command.interrupt()
        ended = command.end()
    assert (ended.code, "interrupted" in ended.out) == (130, True)
    assert left_on(theirs) == []


def test_a_server_that_goes_away_is_one_line(tmp_path: Path) -> None:
    with provision("embedded") as server:
        with at_work(*LONG, *ALONE, "--dsn", server.dsn(), cwd=tmp_path) as (command, family):
            server.crash(Crash.IMMEDIATE)
            ended = command.end()
            assert gone(family)
        server.restart()
    assert ended.code == 3
    last = ended.err.splitlines()[-1]
    assert re.fullmatch(r"harness: .* \[(connection-lost|controller-failed)\]", last), ended.err
    assert "Traceback" not in ended.err
