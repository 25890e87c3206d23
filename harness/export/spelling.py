"""SQL written out: statements with their values in them, bodies in quotes, comments that cannot end too early."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from decimal import Decimal
from textwrap import dedent
from typing import Any
from uuid import UUID

from pglast.parser import scan
from psycopg import ClientCursor, Connection, postgres
from psycopg.adapt import AdaptersMap, Dumper, Transformer

_BRACE = "}"


class _Amount(Dumper):
    """``10::numeric``: what a parameter is, and a bare 10 is not."""

    def dump(self, obj: Any) -> bytes:
        return str(obj).encode()

    def quote(self, obj: Any) -> bytes:
        text = str(obj)
        return f"{text}::numeric".encode() if re.fullmatch(r"[\d.]+", text) else f"'{text}'::numeric".encode()


class _Id(Dumper):
    """A UUID with its hyphens."""

    oid = postgres.types["uuid"].oid

    def dump(self, obj: Any) -> bytes:
        return str(obj).encode()

    def quote(self, obj: Any) -> bytes:
        return f"'{obj}'".encode()


class _Array(Dumper):
    """``ARRAY['...'::uuid]``, which is read more easily than the text of an array."""

    def dump(self, obj: Any) -> bytes:
        raise NotImplementedError("only written out")

    def quote(self, obj: Any) -> bytes:
        inner = Transformer(self.connection)
        _teach(inner.adapters)
        return b"ARRAY[" + b", ".join(inner.as_literal(item) for item in obj) + b"]" if obj else b"'{}'"


def _teach(adapters: AdaptersMap) -> None:
    for kind, dumper in ((Decimal, _Amount), (UUID, _Id), (list, _Array)):
        adapters.register_dumper(kind, dumper)


def spelt(connection: Connection[Any], query: Any, parameters: Any) -> str:
    """The statement as a person would type it, its parameters in it, without the indentation of where it stood."""
    cursor = ClientCursor(connection)
    _teach(cursor.adapters)
    text = cursor.mogrify(query, parameters) if parameters is not None else query
    if not isinstance(text, str):
        text = text.decode() if isinstance(text, bytes) else text.as_string(connection)
    return tidy(text)


def tidy(statement: str) -> str:
    """Without blank lines and the semicolon at its ends, and set against the margin."""
    return dedent(statement.rstrip("; \n")).strip("\n")


def ended(statement: str) -> str:
    """The statement with its semicolon, which a comment at its end must not swallow."""
    text = statement.strip()
    if text.endswith(";"):
        return text
    return f"{text}\n;" if "--" in text.rpartition("\n")[2] else f"{text};"


def in_dollars(text: str, tag: str = "function") -> str:
    """A dollar-quoted string."""
    mark = f"${tag}$"
    while mark in text:
        mark = f"$_{mark[1:]}"
    return f"{mark}{text}{mark}"


def comment(text: str) -> str:
    """Text for one line of a comment in SQL, of either kind."""
    return " ".join(text.split()).replace("*/", "* /").replace("/*", "/ *")


def words(names: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """For each name one that is a word of letters, digits and underscores, no two alike and none that is taken."""
    given: dict[str, str] = {}
    for name in names:
        word = re.sub(r"\W+", "_", name, flags=re.ASCII)
        word = word if re.match(r"[A-Za-z]", word) and word not in taken else f"client_{word}"
        while word in given.values():
            word += "_"
        given[name] = word
    return given


def without_closing_braces(statement: str) -> str:
    """The same SQL without a closing brace, which ends a block of a specification wherever it stands.

    Strings and quoted names spell it by its number; in a comment it becomes a bracket.
    """
    if _BRACE not in statement:
        return statement
    pieces, last = [], 0
    for token in scan(statement):
        start, end = token.start, token.end + 1
        text = statement[start:end]
        if _BRACE in text:
            pieces += [statement[last:start], _spell_brace(text, token.name)]
            last = end
    return "".join([*pieces, statement[last:]])


def _spell_brace(text: str, kind: str) -> str:
    if kind in ("SQL_COMMENT", "C_COMMENT"):
        return text.replace(_BRACE, ")")
    if text[:2] in ("E'", "e'"):
        return text.replace(_BRACE, "\\x7d")
    if text[:2].upper() == "U&":
        return text.replace(_BRACE, "\\007D")
    if text.startswith('"'):
        return "U&" + text.replace("\\", "\\\\").replace(_BRACE, "\\007D")
    dollars = re.match(r"\$\w*\$", text)
    if dollars:
        inner = text[dollars.end() : -dollars.end()].replace("\\", "\\\\").replace("'", "''")
        return f"E'{inner}'".replace(_BRACE, "\\x7d")
    if text.startswith("'"):
        return "E" + text.replace("\\", "\\\\").replace(_BRACE, "\\x7d")
    return text
