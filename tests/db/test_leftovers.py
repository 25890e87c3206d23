"""Who finds the directory of a dead supervisor removes it, and touches nothing else."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from harness.db.account import server_account
from harness.db.binaries import choose_binaries
from harness.db.leftovers import reclaim, sweep
from harness.db.server import Server
from harness.db.supervisor import PREFIX

from .traces import clean_base, is_alive


@pytest.fixture
def base() -> Iterator[Path]:
    with clean_base() as base:
        yield base


def test_a_directory_without_a_holder_is_removed(base: Path) -> None:
    (base / f"{PREFIX}0badcafe" / "data").mkdir(parents=True)
    (base / "something-else").mkdir()
    assert sweep([base], server_account()) == [base / f"{PREFIX}0badcafe"]
    (base / "something-else").rmdir()


def test_a_directory_with_a_holder_stays(base: Path) -> None:
    held = base / f"{PREFIX}0badcafe"
    held.mkdir()
    descriptor = os.open(held, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert sweep([base], server_account()) == []
    finally:
        os.close(descriptor)
    assert sweep([base], server_account()) == [held]


def test_a_server_that_runs_stays(base: Path) -> None:
    with Server(choose_binaries("auto"), directory=base) as server:
        assert sweep([base], server_account()) == []
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("SELECT 1")


def test_a_link_is_not_followed(base: Path) -> None:
    (base / "target").mkdir()
    (base / f"{PREFIX}0badcafe").symlink_to(base / "target")
    assert sweep([base], server_account()) == []
    (base / f"{PREFIX}0badcafe").unlink()
    (base / "target").rmdir()


@pytest.mark.parametrize("about_it", [True, False])
def test_what_runs_in_it_is_stopped_and_nothing_else(base: Path, about_it: bool) -> None:
    leftover = base / f"{PREFIX}0badcafe"
    data = leftover / "data"
    data.mkdir(parents=True)
    waits = "import sys; print(flush=True); sys.stdin.read()"
    call = [sys.executable, "-c", waits, str(data) if about_it else "elsewhere"]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (data / "postmaster.pid").write_text(f"{process.pid}\n{data}\n")
        assert reclaim(leftover)
        assert is_alive(process.pid) is not about_it
        process.kill()
    assert process.returncode == (-signal.SIGQUIT if about_it else -signal.SIGKILL)
