"""The commit journal: what was there when the load began, and every commit since, in the order of the write-ahead log.

Text, a line for each commit, fields between tabs and rows between record separators (ASCII 30): a million commits are
read in seconds. A head says what it is, and a last line that nothing is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from harness.load.rows import Row
from harness.words.errors import UsageError

_HEAD, _START, _LAST = "commit journal 1", "start", "commits"
_FIELD, _ROW = "\t", "\x1e"
_START_ROWS_MAX = 1000
"""Rows of the start on one line."""

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x1e": "\\e"}
_ESCAPED = str.maketrans(_ESCAPES)
_SPECIAL = re.compile(r"[\\\t\n\r\x1e]")


class Commit(NamedTuple):
    """One transaction that wrote rows of the marketplace. ``end`` is where its commit ends in the log, in bytes;
    ``time`` when it committed by the server's clock, in seconds since 1970, which is no order."""

    end: int
    xid: int
    time: float
    rows: list[Row]


class JournalWriter:
    """A context manager that writes a new journal. ``words`` are the kinds of rows (``rows.TABLES``) that there can be.

    Commits that are there already (a server that crashed tells some twice) are left out. Raises ``OSError``.
    """

    def __init__(self, path: Path, words: Iterable[str]) -> None:
        self.commits = 0
        self.end = 0
        """Up to where in the log the journal has all."""
        self._file = path.open("x", encoding="utf-8", newline="\n")
        self._line(_FIELD.join([_HEAD, *sorted(words)]), [])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def start(self, rows: Iterable[Row]) -> None:
        """What was there before the first commit."""
        some: list[Row] = []
        for row in rows:
            some.append(row)
            if len(some) == _START_ROWS_MAX:
                self._line(_START, some)
                some = []
        if some:
            self._line(_START, some)

    def write(self, commit: Commit) -> None:
        """The next commit."""
        if commit.end > self.end:
            self._line(f"{commit.end}{_FIELD}{commit.xid}{_FIELD}{commit.time!r}", commit.rows)
            self.commits += 1
            self.end = commit.end

    def finish(self) -> None:
        """The last line: nothing is missing."""
        self._line(f"{_LAST}{_FIELD}{self.commits}", [])

    def flush(self) -> None:
        """All of it is in the file afterwards."""
        self._file.flush()

    def _line(self, head: str, rows: Iterable[Row]) -> None:
        self._file.write(_ROW.join([head, *map(_text, rows)]) + "\n")


class CommitJournal:
    """Reads a journal, one commit at a time, as often as is wanted.

    Raises ``UsageError`` for a file that is none, or not whole: nobody could say what is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            head, *words = file.readline().rstrip("\n").split(_FIELD)
        if head != _HEAD:
            raise self._bad(1, f"this is not {_HEAD!r}")
        self.words = frozenset(words)

    def start(self) -> Iterator[Row]:
        """What was there when the load began."""
        for _, head, rows in self._lines():
            if head != [_START]:
                return
            yield from rows

    def commits(self) -> Iterator[Commit]:
        """In the order in which they committed."""
        count, whole, number = 0, False, 1
        for number, head, rows in self._lines():
            if whole:
                raise self._bad(number, "a line after the last one")
            if len(head) == 3:
                count += 1
                yield self._commit(number, head, rows)
            elif head[0] == _LAST:
                if head[1:] != [str(count)]:
                    raise self._bad(number, f"the last line counts {head[1:]} commits, and {count} are there")
                whole = True
            elif head != [_START]:
                raise self._bad(number, f"this is no commit: {head[0]!r:.40}")
        if not whole:
            raise self._bad(number, "the journal has no last line", "run the load again")

    def _commit(self, number: int, head: list[str], rows: list[Row]) -> Commit:
        try:
            return Commit(int(head[0]), int(head[1]), float(head[2]), rows)
        except ValueError as error:
            raise self._bad(number, str(error)) from error

    def _lines(self) -> Iterator[tuple[int, list[str], list[Row]]]:
        with self.path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            file.readline()
            for number, line in enumerate(file, 2):
                head, *texts = line[:-1].split(_ROW)
                rows = [text.split(_FIELD) for text in texts]
                if "\\" in line:
                    rows = [[_unescaped(value) for value in row] for row in rows]
                yield number, head.split(_FIELD), rows

    def _bad(self, number: int, seen: str, remedy: str = "") -> UsageError:
        return UsageError(
            "bad-journal", f"{self.path}:{number}: {seen}", expected="the commit journal of a load run", remedy=remedy
        )


def _text(row: Row) -> str:
    if _SPECIAL.search("".join(row)):
        row = [value.translate(_ESCAPED) for value in row]
    return _FIELD.join(row)


def _unescaped(value: str) -> str:
    parts = value.split("\\\\")
    for character, escape in _ESCAPES.items():
        if character != "\\":
            parts = [part.replace(escape, character) for part in parts]
    return "\\".join(parts)
