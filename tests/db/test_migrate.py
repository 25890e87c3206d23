"""Migrations: what runs, in which order, and where a mistake is said to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pglast import parser

from harness.db.migrate import apply
from harness.words.errors import CouldNotRun, UsageError

Write = Callable[..., list[Path]]


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*texts: str) -> list[Path]:
        paths = [tmp_path / f"{number}.sql" for number, _ in enumerate(texts, 1)]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
        return paths

    return write


def test_files_run_in_the_order_given(connection: psycopg.Connection[Any], write: Write) -> None:
    apply(connection, write("create table t (n int)", "insert into t values (1); update t set n = n + 1;"))
    assert connection.execute("select n from t").fetchall() == [(2,)]


def test_a_semicolon_inside_a_body_or_a_string_ends_nothing(connection: psycopg.Connection[Any], write: Write) -> None:
    text = """
    -- a comment; with a semicolon, and 100 % of what SQL allows
    create table t (n text); /* another; */
    create function f() returns text language plpgsql as $body$
    begin
      insert into t values ('é;%'); -- here; too
      return $$a;$$;
    end $body$;;
    create function g() returns int begin atomic; select 1; select 2; end;
    select f();
    """
    apply(connection, write("\ufeff" + text))
    assert connection.execute("select n, g() from t").fetchall() == [("é;%", 2)]


def test_a_transaction_of_the_file_is_kept(connection: psycopg.Connection[Any], write: Write) -> None:
    apply(connection, write("create table t (n int)"))
    with pytest.raises(UsageError, match=r"2\.sql:4: .*division by zero"):
        apply(
            connection,
            write("", "begin;\ninsert into t values (1);\ncommit; begin; insert into t values (2);\nselect 1/0;"),
        )
    assert connection.execute("select n from t").fetchall() == [(1,)]


def test_a_transaction_that_stays_open_is_an_error(connection: psycopg.Connection[Any], write: Write) -> None:
    with pytest.raises(UsageError, match=r"1\.sql ends inside a transaction"):
        apply(connection, write("begin; create table t ()"))
    assert connection.execute("select to_regclass('t')").fetchone() == (None,)


def test_what_cannot_be_in_a_transaction_runs(connection: psycopg.Connection[Any], write: Write) -> None:
    apply(connection, write("create table t (n int); create index concurrently i on t (n); vacuum t;"))
    assert connection.execute("select to_regclass('i')::text").fetchone() == ("i",)


def test_settings_end_with_their_file(connection: psycopg.Connection[Any], write: Write) -> None:
    apply(connection, write("select set_config('search_path', '', false)", "create table t ()"))
    assert connection.execute("select to_regclass('public.t')::text").fetchone() == ("t",)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("create table t ();\n\n-- again\ncreate table\n  t ();", 4, "already exists"),
        ("select 'é';\n\nselect 1,\n  nothing;", 4, '"nothing" does not exist'),
        ("select 1;\nselect 1;\nselec 2;", 3, "syntax error"),
        ("select 1;\nselect :amount;", 2, "syntax error"),
        ("select\n  'open", 2, "unterminated quoted string"),
        ("\ncreate function f() returns int language plpgsql as $$\nbegin\n  retrun 1;\nend $$;", 4, "syntax error"),
        ("create table t (n int);\ninsert into t select 1;\ninsert into t values ('x');", 3, "invalid input syntax"),
        ("do $$ begin\n raise 'no'; end $$", 1, "no"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    connection: psycopg.Connection[Any], write: Write, text: str, line: int, said: str
) -> None:
    (file,) = write(text)
    with pytest.raises(UsageError) as raised:
        apply(connection, [file])
    assert str(raised.value).startswith(f"{file}:{line}: the server refused: ")
    assert said in str(raised.value)
    assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("text", "line", "command"),
    [
        ("\\set ON_ERROR_STOP on\nselect 1;", 1, r"\\set"),
        ("select 1;\n  \\i other.sql\n", 2, r"\\i"),
        ("select 1\n\\gset\nselect 2;", 2, r"\\gset"),
        ("create table t (n int);\ncopy t (n) from stdin;\n1\n2\n\\.\nselect 1;", 2, "COPY FROM STDIN"),
    ],
)
def test_what_only_psql_knows_is_named_with_its_line(
    connection: psycopg.Connection[Any], write: Write, text: str, line: int, command: str
) -> None:
    with pytest.raises(UsageError, match=rf"1\.sql:{line}: .*{command}"):
        apply(connection, write(text))


def test_a_backslash_in_a_string_is_no_command(connection: psycopg.Connection[Any], write: Write) -> None:
    apply(connection, write("create table t (n text);\ninsert into t values ('\n\\d');"))
    assert connection.execute("select n from t").fetchone() == ("\n\\d",)


def test_a_hint_of_the_server_is_passed_on(connection: psycopg.Connection[Any], write: Write) -> None:
    with pytest.raises(UsageError, match="No function matches"):
        apply(connection, write("select abs('x'::text)"))


def test_files_that_cannot_be_read(connection: psycopg.Connection[Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.sql: No such file"):
        apply(connection, [tmp_path / "missing.sql"])
    (tmp_path / "latin.sql").write_bytes("select 'é'".encode("latin-1"))
    with pytest.raises(UsageError, match=r"latin\.sql: no UTF-8 at byte 8"):
        apply(connection, [tmp_path / "latin.sql"])


def test_a_server_that_goes_away_is_not_the_file_s_fault(connection: psycopg.Connection[Any], write: Write) -> None:
    with pytest.raises(CouldNotRun, match=r"1\.sql:2: the server failed"):
        apply(connection, write("select 1;\nselect pg_terminate_backend(pg_backend_pid());"))


def test_what_only_a_newer_server_understands_is_left_to_it(
    connection: psycopg.Connection[Any], write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bewildered(text: str, **_: Any) -> None:
        raise parser.ParseError("syntax error", text.index("update"))

    monkeypatch.setattr(parser, "split", bewildered)
    apply(connection, write("create table t (n int); insert into t values (1); update t set n = 2;"))
    assert connection.execute("select n from t").fetchall() == [(2,)]
