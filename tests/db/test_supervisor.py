"""No server outlives its purpose: owners and supervisors are really killed, at rest and in the middle of the start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from harness.db.binaries import choose_binaries
from harness.db.server import Server
from harness.words.errors import CouldNotRun

from .traces import clean_base, environment, eventually, is_alive, processes_of

PROGRAM = Path(__file__).with_name("owner_program.py")


@pytest.fixture
def base() -> Iterator[Path]:
    with clean_base() as base:
        yield base


@contextmanager
def owner(base: Path, ending: str = "normal") -> Iterator[subprocess.Popen[str]]:
    """The owner program, up to the word that it begins to start its server."""
    process = subprocess.Popen(
        [sys.executable, PROGRAM, base, ending],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        # As in a terminal: Ctrl-C goes to the whole group, and the supervisor must not be in it.
        process_group=0,
    )
    with process:
        assert output(process).readline() == "begin\n"
        try:
            yield process
        finally:
            process.kill()


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def finish(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def nothing_is_left(base: Path, facts: dict[str, Any]) -> bool:
    living = [pid for pid in (facts["postmaster"], facts["supervisor"]) if is_alive(pid)]
    return not (living or list(base.iterdir()) or processes_of(Path(facts["directory"])))


@pytest.mark.parametrize(
    ("ending", "status"), [("normal", 0), ("exception", 1), ("exit", 7)], ids=("normal", "exception", "exit")
)
def test_an_owner_that_leaves_the_block_has_nothing_left_when_it_ends(base: Path, ending: str, status: int) -> None:
    with owner(base, ending) as process:
        facts = json.loads(output(process).readline())
        assert Path(facts["directory"], "data", "postmaster.pid").exists()
        finish(process)
        assert process.wait() == status
        assert nothing_is_left(base, facts)


def test_ctrl_c_leaves_nothing_when_the_owner_ends(base: Path) -> None:
    with owner(base) as process:
        facts = json.loads(output(process).readline())
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait() == -signal.SIGINT
        assert nothing_is_left(base, facts)


@pytest.mark.parametrize("ending", ["SIGKILL", "SIGTERM", "_exit"])
def test_an_owner_that_dies_leaves_nothing(base: Path, ending: str) -> None:
    with owner(base, ending) as process:
        facts = json.loads(output(process).readline())
        if ending == "_exit":
            finish(process)
        else:
            process.send_signal(signal.Signals[ending])
        process.wait()
        assert eventually(lambda: nothing_is_left(base, facts))


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: only Linux tells of a process's end (pidfd)")
def test_a_forked_child_that_keeps_the_line_open_does_not_keep_the_server(base: Path) -> None:
    with owner(base, "fork") as process:
        facts = json.loads(output(process).readline())
        child = json.loads(output(process).readline())["child"]
        process.kill()
        process.wait()
        assert eventually(lambda: nothing_is_left(base, facts))
        assert is_alive(child)
        finish(process)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda how: how.name)
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3])
def test_an_owner_that_dies_during_the_start_leaves_nothing(base: Path, delay: float, how: signal.Signals) -> None:
    """Wherever the start is by then: directory made or not, initdb at work, PostgreSQL starting. The base tells."""
    with owner(base) as process:
        time.sleep(delay)
        os.killpg(process.pid, how)
        process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: only Linux ties a child's life to its parent's")
class TestASupervisorThatIsKilled:
    def test_takes_postgresql_with_it_and_the_owner_removes_the_rest(self, base: Path) -> None:
        with Server(choose_binaries("auto"), directory=base) as server:
            postmaster, directory = server.pid, server.socket_directory
            os.kill(server.supervised.pid, signal.SIGKILL)
            assert eventually(lambda: not is_alive(postmaster))
            assert directory.exists()
        assert not list(base.iterdir())

    def test_is_noticed_at_the_next_word_in_one_line(self, base: Path) -> None:
        with Server(choose_binaries("auto"), directory=base) as server:
            os.kill(server.supervised.pid, signal.SIGKILL)
            with pytest.raises(CouldNotRun, match="has died"):
                server.restart()
            assert not list(base.iterdir())

    def test_together_with_its_owner_leaves_a_directory_that_the_next_start_removes(self, base: Path) -> None:
        with owner(base) as process:
            facts = json.loads(output(process).readline())
            os.kill(facts["supervisor"], signal.SIGSTOP)
            process.kill()
            os.kill(facts["supervisor"], signal.SIGKILL)
            process.wait()
            assert eventually(lambda: not is_alive(facts["postmaster"]))
        leftover = Path(facts["directory"])
        assert leftover.exists()
        with Server(choose_binaries("auto"), directory=base):
            assert not leftover.exists()
