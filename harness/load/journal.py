"""The commit journal: what was there when the load began, and every commit since, in the order of the write-ahead log.

One JSON line each: a head, the rows of the start, the commits, and a last line when nothing is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from harness.load.rows import Row
from harness.words.errors import UsageError

_VERSION = 1
_START_ROWS_MAX = 1000
"""Rows of the start on one line."""


class Commit(NamedTuple):
    """One transaction that wrote rows of the marketplace. ``end`` is where its commit ends in the log, in bytes;
    ``time`` when it committed by the server's clock, in seconds since 1970, which is no order."""

    end: int
    xid: int
    time: float
    rows: Sequence[Row]


class JournalWriter:
    """A context manager that writes a new journal. ``words`` are the kinds of rows (``rows.TABLES``) that there can be.

    Commits that are there already (a server that crashed tells some twice) are left out. Raises ``OSError``.
    """

    def __init__(self, path: Path, words: Iterable[str]) -> None:
        self.commits = 0
        self.end = 0
        """Up to where in the log the journal has all."""
        self._file = path.open("xb")
        self._line({"journal": _VERSION, "words": sorted(words)})

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
                self._line({"start": some})
                some = []
        if some:
            self._line({"start": some})

    def write(self, commit: Commit) -> None:
        """The next commit."""
        if commit.end > self.end:
            self._line(commit)
            self.commits += 1
            self.end = commit.end

    def finish(self) -> None:
        """The last line: nothing is missing."""
        self._line({"commits": self.commits})

    def flush(self) -> None:
        """All of it is in the file afterwards."""
        self._file.flush()

    def _line(self, value: Any) -> None:
        self._file.write(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")


class CommitJournal:
    """Reads a journal, one commit at a time, as often as is wanted.

    Raises ``UsageError`` for a file that is none, or not whole: nobody could say what is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            head = self._read(1, file.readline())
        if not isinstance(head, dict) or head.get("journal") != _VERSION:
            raise self._bad(1, "this is no head of a journal")
        self.words = frozenset(head["words"])

    def start(self) -> Iterator[Row]:
        """What was there when the load began."""
        for _, value in self._lines():
            if isinstance(value, list) or "start" not in value:
                return
            yield from value["start"]

    def commits(self) -> Iterator[Commit]:
        """In the order in which they committed."""
        count, whole = 0, False
        for number, value in self._lines():
            if whole:
                raise self._bad(number, "a line after the last one")
            if isinstance(value, list):
                count += 1
                yield Commit(*value)
            elif "commits" in value:
                if value["commits"] != count:
                    raise self._bad(number, f"the last line counts {value['commits']} commits, and {count} are there")
                whole = True
        if not whole:
            raise self._bad(count, "the journal has no last line", "run the load again")

    def _lines(self) -> Iterator[tuple[int, Any]]:
        with self.path.open("rb") as file:
            file.readline()
            for number, line in enumerate(file, 2):
                yield number, self._read(number, line)

    def _read(self, number: int, line: bytes) -> Any:
        try:
            return json.loads(line)
        except ValueError as error:
            raise self._bad(number, str(error)) from error

    def _bad(self, number: int, seen: str, remedy: str = "") -> UsageError:
        return UsageError(
            "bad-journal", f"{self.path}:{number}: {seen}", expected="the commit journal of a load run", remedy=remedy
        )
