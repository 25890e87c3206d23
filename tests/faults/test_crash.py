"""Crash and recovery under load: nothing that was acknowledged is lost, and where it is, that is noticed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.db.provision import provision
from harness.faults.crash import CRASHABLE, CrashReport, crash_rounds
from harness.marketplace.subject import Subject, load_subject
from harness.resources import bundled
from harness.words.errors import UsageError
from tests.db.traces import clean_base, environment
from tests.sizes import sized

ROUNDS = sized(10, 50)


@pytest.fixture(scope="module")
def reference() -> Subject:
    return load_subject("reference", bundled("sql"))


def crash(subject: Subject, rounds: int, **settings: Any) -> CrashReport:
    with provision("embedded", settings={**CRASHABLE, **settings}) as server:
        return crash_rounds(server, subject, rounds=rounds, seed=0)


def test_crashes_lose_nothing_that_was_acknowledged(reference: Subject) -> None:
    report = crash(reference, ROUNDS)
    assert (report.rounds, report.lost, report.violations) == (ROUNDS, 0, ())
    assert report.holds
    # It was under load: the crash came into the middle of something nearly every time, and both ends of it were seen.
    assert report.interrupted >= 0.8 * ROUNDS
    assert report.acknowledged >= 10 * ROUNDS
    assert report.refused >= 2 * ROUNDS
    assert min(report.committed, report.rolled_back) >= 1
    assert report.again >= ROUNDS
    assert len(report.recovery_seconds) == ROUNDS


def test_it_is_noticed_when_commits_are_acknowledged_too_early(reference: Subject) -> None:
    # What the server writes by itself, and when, is not to decide: it would do so after ten seconds.
    report = crash(reference, 2, synchronous_commit=False, wal_writer_delay="10s")
    assert report.lost >= report.acknowledged // 2 > 0
    assert not report.holds
    assert {"no-lost-acknowledgement"} <= {violation.property for violation in report.violations}


def test_a_server_of_somebody_else_is_not_crashed(reference: Subject) -> None:
    with provision("embedded") as theirs, provision(theirs.dsn()) as server:
        with pytest.raises(UsageError, match="that the harness did not start"):
            crash_rounds(server, reference, rounds=1, seed=0)
        with psycopg.connect(theirs.dsn()) as connection:
            left = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'harness%'").fetchall()
            assert left == []


@pytest.mark.parametrize("seed", range(2))
def test_ctrl_c_leaves_nothing(seed: int) -> None:
    program = Path(__file__).parent / "crash_program.py"
    with clean_base() as base:
        command = [sys.executable, str(program), str(base)]
        with subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "1\n"
            # Anywhere in a round: while clients work, while the server is down, while it recovers.
            time.sleep(random.Random(seed).uniform(0, 1))
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGINT
        assert "KeyboardInterrupt" in said
        assert "never retrieved" not in said
