"""``harness db start``: a server that outlives the command that started it, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from harness.db import detached
from harness.db.detached import Detached, psql_detached, start_detached, state_directory, status_detached, stop_detached
from harness.words.errors import CouldNotRun, UsageError

from .traces import clean_base, environment, eventually, free_port, is_alive, processes_of

START = """
import sys
from pathlib import Path
from harness.db.detached import start_detached
port = int(sys.argv[3]) if len(sys.argv) > 3 else None
print(start_detached(Path(sys.argv[1]), directory=Path(sys.argv[2]), port=port).dsn)
"""


@pytest.fixture
def base() -> Iterator[Path]:
    with clean_base() as base:
        yield base


@pytest.fixture
def state(tmp_path: Path, base: Path) -> Iterator[Path]:
    """A state directory whose server, if there is one, is gone in the end."""
    yield tmp_path / "state"
    stop_detached(tmp_path / "state")
    assert base.exists()


def start(state: Path, base: Path, *port: int) -> Detached:
    """Start as a command would: in a process that then ends, with pipes that must see its end."""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", START, state, base, *map(str, port)],
        env=environment(),
        capture_output=True,
        check=True,
    )
    running = status_detached(state)
    assert running is not None
    return running


def test_it_outlives_its_starter_until_it_is_stopped(state: Path, base: Path) -> None:
    assert status_detached(state) is None
    running = start(state, base)
    with psycopg.connect(running.dsn) as connection:
        connection.execute("SELECT 1")
    assert os.getsid(running.supervisor) == running.supervisor
    assert stop_detached(state) == running
    assert not Path(running.directory).exists()
    assert eventually(lambda: not (is_alive(running.supervisor) or is_alive(running.postmaster)))
    assert not processes_of(Path(running.directory))
    assert status_detached(state) is None
    assert stop_detached(state) is None


def test_a_second_start_finds_the_first(state: Path, base: Path) -> None:
    port = free_port()
    running = start(state, base, port)
    assert start_detached(state) == running
    assert start_detached(state, port=port) == running
    with pytest.raises(UsageError, match=f"already, on port {port}; harness db stop"):
        start_detached(state, port=port + 1)


def test_psql_is_called_with_the_dsn(state: Path, base: Path) -> None:
    with pytest.raises(UsageError, match="harness db start"):
        psql_detached(state)
    start(state, base)
    said = subprocess.run(psql_detached(state, ["-Atc", "SELECT 6 * 7"]), capture_output=True, text=True, check=True)
    assert said.stdout == "42\n"


def test_the_state_holds_no_secret(state: Path, base: Path) -> None:
    running = start(state, base)
    written = json.loads((state / "server.json").read_text())
    assert set(written) == set(Detached.__dataclass_fields__)
    assert set(psycopg.conninfo.conninfo_to_dict(running.dsn)) == {"host", "port", "user", "dbname"}
    assert state.stat().st_mode & 0o077 == 0


def test_after_the_supervisor_was_killed_nothing_is_said_to_run(state: Path, base: Path) -> None:
    running = start(state, base)
    os.kill(running.supervisor, signal.SIGKILL)
    assert eventually(lambda: not is_alive(running.supervisor))
    assert status_detached(state) is None
    assert not list(base.iterdir())
    assert not is_alive(running.postmaster)
    again = start(state, base)
    assert again.postmaster != running.postmaster


def test_a_port_that_is_taken_leaves_nothing(state: Path, base: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CouldNotRun, match="Address already in use"):
        start_detached(state, directory=base, port=taken.getsockname()[1])
    assert not list(base.iterdir())
    assert status_detached(state) is None


def test_a_state_that_cannot_be_written_leaves_nothing(
    state: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> Path:
        raise RuntimeError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(detached, "asdict", fail)
        with pytest.raises(RuntimeError, match="planted"):
            start_detached(state, directory=base)
    assert not list(base.iterdir())
    assert status_detached(state) is None


def test_a_state_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CouldNotRun, match="set XDG_STATE_HOME"):
        start_detached(tmp_path / "file" / "state")


def test_a_damaged_state_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"dsn": 1}')
    with pytest.raises(CouldNotRun, match=r"server\.json cannot be read.*remove it"):
        status_detached(tmp_path)


class TestTheStateDirectory:
    def test_follows_xdg(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        assert state_directory(Path("a")).parent == tmp_path / "harness"

    def test_is_in_the_home_without(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert state_directory(Path("a")).parent == tmp_path / ".local" / "state" / "harness"

    @pytest.mark.parametrize("home", ["", "relative", "/dev/null"])
    def test_is_temporary_without_a_home(self, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        monkeypatch.setenv("HOME", home)
        assert state_directory(Path("a")).parent.name == f"harness-state-{os.geteuid()}"

    def test_is_another_for_another_project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        assert state_directory(Path("a")) == state_directory(Path("a").absolute())
        assert state_directory(Path("a")) != state_directory(Path("b"))
