"""Statements written out say what they said with parameters, and keep what is around them whole."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.types.numeric import Int8

from harness.export.spelling import comment, ended, in_dollars, spelt, without_closing_braces, words

ID = UUID("00000002-0000-4000-8000-000000000001")


@pytest.mark.parametrize(
    "value",
    [
        Decimal(10),
        Decimal("-0.05"),
        Decimal("NaN"),
        Int8(1_000_001),
        7,
        "it's 100% } \\",
        True,
        None,
        ID,
        [ID, ID],
        [Decimal("1.50"), None],
        [],
        b"\x00\xff}",
    ],
)
def test_a_value_written_out_is_the_value(database: str, value: object) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        cast = "uuid[]" if value == [] else "text" if isinstance(value, str) or value is None else ""
        query = "SELECT %(it)s" + (f"::{cast}" if cast else "") + " AS it, '100 %%' AS sign"
        asked = connection.execute(query, {"it": value})
        written = connection.execute(without_closing_braces(spelt(connection, query, {"it": value})).encode())
        assert repr(written.fetchone()) == repr(asked.fetchone())
        assert asked.description is not None
        assert written.description is not None
        if not isinstance(value, int):  # a small number is an int2 as a parameter, an int4 as a literal
            assert written.description[0].type_code == asked.description[0].type_code


def test_every_kind_of_text_does_without_closing_braces(database: str) -> None:
    texts = [
        "SELECT '{}', 'it''s \\ }'",
        "SELECT E'\\\\ }', e'}'",
        "SELECT U&'\\00e4 }'",
        "SELECT $$ it's \\ } $$, $a$}$$}$a$",
        'SELECT 1 AS "a } ""b"',
        "SELECT 1 -- }\n /* } */ + 1",
    ]
    with psycopg.connect(database, autocommit=True) as connection:
        for text in texts:
            plain = without_closing_braces(text)
            assert "}" not in plain
            before, after = connection.execute(text.encode()), connection.execute(plain.encode())
            assert after.fetchall() == before.fetchall()
            assert [each.name for each in after.description or ()] == [each.name for each in before.description or ()]


def test_a_body_in_dollars_ends_where_it_ends(database: str) -> None:
    body = "$function$ $_function$ $$"
    with psycopg.connect(database) as connection:
        query = sql.Composed([sql.SQL("SELECT "), sql.SQL(in_dollars(body))])
        assert connection.execute(query).fetchone() == (body,)


def test_a_comment_cannot_end_too_early() -> None:
    assert comment("a */ b\n; /* c") == "a * / b ; / * c"


def test_a_semicolon_is_in_no_comment() -> None:
    assert [ended("SELECT 1"), ended("SELECT 1; \n"), ended("SELECT 1 -- one")] == [
        "SELECT 1;",
        "SELECT 1;",
        "SELECT 1 -- one\n;",
    ]


def test_names_become_words() -> None:
    given = words(["alice", "gate", "1st", "a b", "a-b", "ä"], ("gate",))
    assert list(given.values()) == ["alice", "client_gate", "client_1st", "a_b", "a_b_", "client__"]
