"""A PostgreSQL server of our own, on a directory that is gone when we are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from psycopg.conninfo import make_conninfo

from harness.db.account import server_account
from harness.db.admin import administration
from harness.db.any_server import STRATEGY_MAJOR, AnyServer, Crash
from harness.db.binaries import Binaries
from harness.db.leftovers import sweep
from harness.db.owner import Supervised
from harness.db.place import bases, choose_base
from harness.db.roles import create_missing
from harness.db.settings import DEFAULT_PORT, Setting, configuration, render
from harness.words.errors import UsageError

INITDB_SET_MAJOR = 16
"""The first PostgreSQL whose initdb takes settings."""


class Server(AnyServer):
    """PostgreSQL from these binaries, started by ``open`` or ``with``, stopped and removed by ``close``.

    It listens on a unix socket alone; with ``port`` on 127.0.0.1 too. Whoever can reach it may log in: it is for tests.
    ``settings`` go over ``harness.db.settings.DEFAULTS``; ``fsync`` also turns full_page_writes on. ``directory`` is
    where its own directory is made; by default in memory when there is room.
    """

    local = True
    superuser = True

    def __init__(
        self,
        binaries: Binaries,
        *,
        settings: Mapping[str, Setting] | None = None,
        fsync: bool = False,
        port: int | None = None,
        directory: Path | None = None,
    ) -> None:
        super().__init__()
        if port is not None and not 0 < port < 65536:
            raise UsageError("port", f"{port} is no port", expected="1 to 65535")
        self.binaries = binaries
        self.port = port
        self.version = binaries.version
        self.copies_files = not fsync and binaries.major >= STRATEGY_MAJOR
        statistics = binaries.has_library("pg_stat_statements")
        self._configuration = render(configuration(settings or {}, fsync=fsync, port=port, statistics=statistics))
        self._wanted_directory = directory
        self._supervised: Supervised | None = None

    def open(self) -> None:
        account = server_account()
        copies = self.binaries.copies_for(account)
        base = choose_base(account, runs_programs=bool(copies), wanted=self._wanted_directory)
        sweep({*bases(), base}, account)
        self._supervised = Supervised(
            {
                "base": str(base),
                "binaries": str(self.binaries.directory),
                "copies": copies,
                "initdb": self._initdb(),
                "uid": account.uid if account.switch else None,
                "gid": account.gid if account.switch else None,
                "configuration": self._configuration,
                "port": self.port or DEFAULT_PORT,
            }
        )

    def start(self) -> Self:
        """``open``, and the server itself."""
        self.open()
        return self

    def close(self) -> None:
        """Stop the server and remove all of it; again: nothing."""
        self._databases.clear()
        if self._supervised is not None:
            supervised, self._supervised = self._supervised, None
            supervised.end()

    stop = close

    def crash(self, how: Crash) -> None:
        self._tell(f"crash-{Crash(how)}")

    def restart(self) -> None:
        self._tell("restart")

    def let_go(self) -> int:
        """Leave the server running for good; returns the pid of its supervisor, which SIGTERM ends."""
        supervised, self._supervised = self.supervised, None
        supervised.let_go()
        return supervised.pid

    def ensure_roles(self, names: Iterable[str]) -> tuple[str, ...]:
        with administration(self.dsn()) as connection:
            return create_missing(connection, names)

    def dsn(self, dbname: str | None = None) -> str:
        port = self.port or DEFAULT_PORT
        return make_conninfo(host=str(self.socket_directory), port=port, user="postgres", dbname=dbname or "postgres")

    def tcp_dsn(self, dbname: str | None = None) -> str:
        """How to connect over TCP, for neighbours that cannot use a unix socket. UsageError without a port."""
        if self.port is None:
            raise UsageError("port", "the server has no TCP port", remedy="start it with a port")
        return make_conninfo(host="127.0.0.1", port=self.port, user="postgres", dbname=dbname or "postgres")

    @property
    def supervised(self) -> Supervised:
        if self._supervised is None:
            raise RuntimeError("the server is not open")
        return self._supervised

    @property
    def socket_directory(self) -> Path:
        return self.supervised.facts.directory

    @property
    def data_directory(self) -> Path:
        return self.supervised.facts.directory / "data"

    @property
    def log(self) -> Path:
        """What PostgreSQL has said since it was made."""
        return self.supervised.facts.directory / "postgres.log"

    @property
    def bin_directory(self) -> Path:
        """Where psql, pgbench and the other programs are that we may run."""
        return self.binaries.directory

    @property
    def pid(self) -> int:
        """The postmaster's, of the last start."""
        return self.supervised.facts.pid

    def _initdb(self) -> list[str]:
        # --no-clean, because the files of an initdb that failed name the shared memory that it leaves.
        arguments = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres", "--no-sync", "--no-clean"]
        if self.binaries.major >= INITDB_SET_MAJOR:
            arguments.append("--set=dynamic_shared_memory_type=mmap")
        return [*arguments, "--no-instructions"]

    def _tell(self, word: str) -> None:
        self.supervised.tell({"do": word})
