"""A TOML file that people write: every mistake in it is answered with file, line, and what was expected."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from harness.words.errors import UsageError


class TomlFile:
    """A file of top-level keys and ``[tables]`` of keys; the table ``""`` is the top level.

    Raises ``UsageError`` (``bad-subject``) for a file that cannot be read, and in every method for what is wrong there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("bad-subject", f"{path} cannot be read: {error}", expected="a text in UTF-8") from error
        try:
            self._document = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"at line (\d+)", str(error))
            line = int(found[1]) if found else max(1, self.text.count("\n"))
            raise UsageError(
                "bad-subject", f"{path}:{line}: not TOML: {error}", expected="key = value lines under [tables]"
            ) from error

    def keys(self, table: str, known: Collection[str] | None = None) -> list[str]:
        """The keys of a table, none for a table that is not there; one that is not ``known`` is a mistake."""
        found = self._document.get(table, {}) if table else self._document
        if not isinstance(found, dict):
            self.reject(f"{table} is {found!r:.40}", "", table, expected=f"a table [{table}]")
        for key in found if known is not None else ():
            if known is not None and key not in known:
                self.unknown(f"unknown key {key!r}", key, known, table, key)
        return list(found)

    def string(self, table: str, key: str, default: str | None = None) -> str:
        """A text with something in it."""
        value = self._value(table, key, default)
        if not isinstance(value, str) or not (value.strip() or value == default):
            self.reject(f"{key} is {value!r:.40}", table, key, expected="a string with something in it")
        return value

    def strings(self, table: str, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts, none of them empty."""
        value = self._value(table, key, default)
        if value == default:
            return default or ()
        if (
            not isinstance(value, list)
            or not value
            or not all(isinstance(item, str) and item.strip() for item in value)
        ):
            self.reject(f"{key} is {value!r:.40}", table, key, expected="a list of strings, none of them empty")
        return tuple(value)

    def unknown(self, seen: str, word: str, known: Collection[str], table: str, key: str) -> NoReturn:
        """A word that is none of the known ones: say which it may have been."""
        close = get_close_matches(word, known, 1)
        self.reject(
            seen,
            table,
            key,
            expected=f"one of {', '.join(known)}" if known else "none",
            remedy=f"did you mean {close[0]!r}?" if close else "",
        )

    def reject(self, seen: str, table: str = "", key: str = "", *, expected: str = "", remedy: str = "") -> NoReturn:
        """Raise the ``UsageError`` about this key, or this table, with its line."""
        raise UsageError("bad-subject", f"{self.place(table, key)}: {seen}", expected=expected, remedy=remedy)

    def place(self, table: str, key: str = "") -> str:
        """``file:line`` of a key, or of its table; the file alone when it is written in no usual way."""
        section, line = "", None
        for number, text in enumerate(self.text.splitlines(), 1):
            if header := re.match(r"\s*\[+\s*([\w.-]+)\s*\]", text):
                section = header[1]
                line = number if section == (table or key) else line
            elif key and section == table and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", text):
                line = number
                break
        return f"{self.path}:{line}" if line else str(self.path)

    def _value(self, table: str, key: str, default: object) -> Any:
        holder = self._document[table] if table else self._document
        if key in holder:
            return holder[key]
        if default is None:
            self.reject(f"[{table}] has no {key}" if table else f"there is no {key}", table)
        return default
