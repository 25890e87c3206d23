"""A guest on someone else's server: it touches what it made and nothing else, and never says a password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from harness.db.any_server import Crash
from harness.db.binaries import choose_binaries
from harness.db.external import ExternalServer
from harness.db.server import Server
from harness.words.errors import ExitCode, UsageError

from .traces import clean_base, free_port

PASSWORD = "Sehr-Geheim+17"

Rows = list[tuple[object, ...]]


@pytest.fixture(scope="module")
def host() -> Iterator[Server]:
    """Someone's server: over TCP it wants passwords; the role ``guest`` may make databases, ``visitor`` nothing."""
    with clean_base() as base:
        hba = base / "hba.conf"
        hba.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        with Server(choose_binaries("auto"), port=free_port(), settings={"hba_file": str(hba)}) as server:
            with psycopg.connect(server.dsn(), autocommit=True) as connection:
                for role, attributes in (("guest", "CREATEDB CREATEROLE"), ("visitor", "")):
                    create = sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}")
                    connection.execute(create.format(sql.Identifier(role), sql.SQL(attributes), PASSWORD))
                connection.execute("CREATE DATABASE precious")
            yield server
        hba.unlink()


def rows(dsn: str, query: str) -> Rows:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def databases(host: Server) -> set[object]:
    return {name for (name,) in rows(host.dsn(), "SELECT datname FROM pg_database")}


def as_guest(host: Server, **changes: str) -> str:
    return make_conninfo(host.tcp_dsn(), **{"user": "guest", "password": PASSWORD, **changes})


class TestAGuest:
    def test_knows_the_server(self, host: Server) -> None:
        with ExternalServer(host.dsn()) as server:
            assert (server.version, server.local, server.superuser) == (host.version, True, True)
        with ExternalServer(as_guest(host)) as server:
            assert (server.version, server.local, server.superuser) == (host.version, False, False)

    def test_makes_databases_and_leaves_none(self, host: Server) -> None:
        before = databases(host)
        with ExternalServer(as_guest(host)) as server:
            names = {server.create_database(), server.create_database("harness_mine"), server.create_database()}
            assert databases(host) == before | names
            with psycopg.connect(server.dsn("harness_mine")) as connection:
                connection.execute("CREATE TABLE t ()")
                connection.commit()
            names.add(server.create_database(template="harness_mine"))
            server.drop_database("harness_mine")
            assert databases(host) == (before | names) - {"harness_mine"}
            lingering = psycopg.connect(server.dsn((names - {"harness_mine"}).pop()))
        assert databases(host) == before
        lingering.close()

    def test_leaves_none_after_a_failure(self, host: Server) -> None:
        before = databases(host)

        def fail() -> None:
            with ExternalServer(as_guest(host)) as server, server.database():
                server.create_database()
                raise RuntimeError("planted")

        with pytest.raises(RuntimeError, match="planted"):
            fail()
        assert databases(host) == before

    @pytest.mark.parametrize("name", ["precious", "postgres", "harness_", 'harness_"; x', "harness_" + 60 * "x"])
    def test_makes_and_drops_nothing_under_other_names(self, host: Server, name: str) -> None:
        before = databases(host)
        with ExternalServer(host.dsn()) as server:
            with pytest.raises(UsageError, match="database-name"):
                server.create_database(name)
            with pytest.raises(UsageError, match="not made by this run"):
                server.drop_database(name)
        assert databases(host) == before

    def test_does_not_take_over_a_database_of_the_same_name(self, host: Server) -> None:
        theirs = host.create_database("harness_theirs")
        with ExternalServer(host.dsn()) as server:
            with pytest.raises(UsageError, match="already exists"):
                server.create_database(theirs)
            with pytest.raises(UsageError, match="not made by this run"):
                server.drop_database(theirs)
        assert theirs in databases(host)
        host.drop_database(theirs)

    @pytest.mark.parametrize("how", Crash)
    def test_neither_crashes_nor_restarts_it(self, host: Server, how: Crash) -> None:
        with ExternalServer(host.dsn()) as server:
            with pytest.raises(UsageError, match="did not start"):
                server.crash(how)
            with pytest.raises(UsageError, match="did not start"):
                server.restart()
        assert rows(host.dsn(), "SELECT 1") == [(1,)]

    def test_sets_on_its_databases_what_was_asked(self, host: Server) -> None:
        shown = "SELECT current_setting('deadlock_timeout'), current_setting('jit'), current_setting('work_mem')"
        with (
            ExternalServer(host.dsn(), settings={"work_mem": "7MB", "deadlock_timeout": "21ms"}) as server,
            server.database() as dsn,
        ):
            assert rows(dsn, shown) == [("21ms", "off", "7MB")]
        with ExternalServer(as_guest(host), settings={"jit": True}) as server, server.database() as dsn:
            assert rows(dsn, shown)[0][1] == "on"

    @pytest.mark.parametrize(
        ("setting", "said"),
        [
            ({"max_connections": 5}, "cannot be changed without restarting"),
            ({"work_mem": "lots"}, "invalid value"),
            ({"no_such_thing": 1}, "unrecognized"),
        ],
    )
    def test_says_which_setting_it_cannot_have(self, host: Server, setting: dict[str, str | int], said: str) -> None:
        before = databases(host)
        with ExternalServer(host.dsn(), settings=setting) as server, pytest.raises(UsageError, match=said):
            server.create_database()
        assert databases(host) == before

    def test_says_that_it_lacks_a_privilege_for_a_setting(self, host: Server) -> None:
        guest = ExternalServer(as_guest(host), settings={"deadlock_timeout": "1s"})
        with guest as server, pytest.raises(UsageError, match="permission denied to set parameter"):
            server.create_database()

    def test_may_demand_durability(self, host: Server) -> None:
        with pytest.raises(UsageError, match="fsync off"):
            ExternalServer(host.dsn(), fsync=True).open()

    def test_keeps_the_first_error_when_the_server_goes_away(self) -> None:
        def fail(host: Server) -> None:
            with ExternalServer(host.dsn()) as server:
                server.create_database()
                host.close()
                raise RuntimeError("planted")

        with pytest.raises(RuntimeError, match="planted") as caught:
            fail(Server(choose_binaries("auto")).start())
        assert any("dsn-unreachable" in note for note in caught.value.__notes__)


def refusal(dsn: str) -> str:
    """The one line that a wrong DSN ends with: exit 2, without the password."""
    with pytest.raises(UsageError) as caught:
        ExternalServer(dsn).open()
    said = str(caught.value)
    assert caught.value.exit_code == ExitCode.USAGE
    assert "\n" not in said
    assert PASSWORD not in said
    return said


class TestAWrongDsn:
    def test_to_a_port_where_nobody_listens(self, host: Server) -> None:
        assert "Connection refused" in refusal(as_guest(host, port=str(free_port())))

    def test_to_a_socket_that_is_not_there(self, tmp_path: Path) -> None:
        assert "No such file or directory" in refusal(make_conninfo(host=str(tmp_path), password=PASSWORD))

    def test_to_someone_who_is_no_postgresql(self) -> None:
        """The other end takes the connection and hangs up."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            hangs_up = threading.Thread(target=lambda: listener.accept()[0].close())
            hangs_up.start()
            said = refusal(f"host=127.0.0.1 port={listener.getsockname()[1]} sslmode=disable password={PASSWORD}")
            hangs_up.join()
        assert "closed the connection unexpectedly" in said or "Connection reset" in said

    def test_to_several_servers_of_which_none_answers(self) -> None:
        ports = free_port(), free_port()
        said = refusal(make_conninfo(host="127.0.0.1,127.0.0.1", port=f"{ports[0]},{ports[1]}", password=PASSWORD))
        assert all(said.count(f"port {port} failed: Connection refused") == 1 for port in ports)

    def test_with_a_wrong_password(self, host: Server) -> None:
        assert "password authentication failed" in refusal(as_guest(host, password=PASSWORD[::-1]))
        with pytest.raises(UsageError) as caught:
            ExternalServer(as_guest(host, password=PASSWORD[::-1])).open()
        assert PASSWORD[::-1] not in str(caught.value)

    def test_without_a_password(self, host: Server) -> None:
        assert "no password supplied" in refusal(make_conninfo(host.tcp_dsn(), user="guest", passfile="/dev/null"))

    def test_to_a_database_that_is_missing(self, host: Server) -> None:
        assert 'database "nowhere" does not exist' in refusal(as_guest(host, dbname="nowhere"))

    def test_of_a_role_that_may_make_no_database(self, host: Server) -> None:
        assert "ALTER ROLE visitor CREATEDB" in refusal(as_guest(host, user="visitor"))

    @pytest.mark.parametrize(
        "dsn",
        [
            f"postgresql://u:{PASSWORD}@[::1/d",
            f"postgresql://u:{PASSWORD}@h:port:port/d?x",
            f"host=h password='{PASSWORD}",
            f"host=h password={PASSWORD} {PASSWORD}",
            f"host=h {PASSWORD}=password",
            f"postgresql://u:half@{PASSWORD}@h/d",
            f"postgresql://u:%zz{PASSWORD}@h/d",
        ],
    )
    def test_that_cannot_be_read_shows_nothing_of_itself(self, dsn: str) -> None:
        assert "dsn-syntax" in refusal(dsn)


MARKED = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'test\\_%' ORDER BY 1"


class TestRoles:
    def test_are_dropped_by_who_made_them(self, host: Server) -> None:
        with psycopg.connect(host.dsn(), autocommit=True) as connection:
            connection.execute("CREATE ROLE test_theirs")
        with ExternalServer(as_guest(host)) as server:
            assert server.ensure_roles(["test_theirs", "test_ours"]) == ("test_ours",)
            assert server.ensure_roles(["test_ours", "test_too"]) == ("test_too",)
            with server.database() as dsn, psycopg.connect(dsn) as connection:
                connection.execute("GRANT CREATE ON SCHEMA public TO test_ours")
                connection.execute("SET ROLE test_ours")
        assert rows(host.dsn(), MARKED) == [("test_theirs",)]
        with psycopg.connect(host.dsn(), autocommit=True) as connection:
            connection.execute("DROP ROLE test_theirs")

    def test_stay_until_the_last_run_that_uses_them_ends(self, host: Server) -> None:
        with ExternalServer(host.dsn()) as first, ExternalServer(host.dsn()) as second:
            assert first.ensure_roles(["test_shared"]) == ("test_shared",)
            assert second.ensure_roles(["test_shared"]) == ()
            first.close()
            assert rows(host.dsn(), MARKED) == [("test_shared",)]
        assert rows(host.dsn(), MARKED) == []

    def test_of_a_run_that_was_killed_go_with_the_next(self, host: Server) -> None:
        assert host.ensure_roles(["test_orphan"]) == ("test_orphan",)
        with ExternalServer(host.dsn()) as server:
            assert server.ensure_roles(["test_orphan"]) == ()
        assert rows(host.dsn(), MARKED) == []

    def test_that_something_else_needs_stay(self, host: Server) -> None:
        with ExternalServer(host.dsn()) as server:
            server.ensure_roles(["test_needed"])
            with psycopg.connect(host.dsn("precious")) as connection:
                connection.execute("CREATE TABLE theirs ()")
                connection.execute("GRANT SELECT ON theirs TO test_needed")
        assert rows(host.dsn(), MARKED) == [("test_needed",)]
        with psycopg.connect(host.dsn("precious")) as connection:
            connection.execute("DROP TABLE theirs")
            connection.execute("DROP ROLE test_needed")

    def test_need_a_privilege(self, host: Server) -> None:
        with psycopg.connect(host.dsn(), autocommit=True) as connection:
            connection.execute("ALTER ROLE guest NOCREATEROLE")
        try:
            with ExternalServer(as_guest(host)) as server, pytest.raises(UsageError, match="CREATEROLE"):
                server.ensure_roles(["test_refused"])
        finally:
            with psycopg.connect(host.dsn(), autocommit=True) as connection:
                connection.execute("ALTER ROLE guest CREATEROLE")
