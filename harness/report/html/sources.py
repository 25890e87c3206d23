"""The functions in which a document's runs take their steps: each is on the page once, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

_TOKEN = re.compile(
    r"(?P<comment>--.*$)|(?P<text>'(?:[^']|'')*')|\b(?P<word>"
    r"AND|AS|ASC|BEGIN|BY|CASE|COALESCE|CONFLICT|DECLARE|DEFAULT|DELETE|DESC|DO|ELSE|ELSIF|END|EXCEPTION|EXISTS|EXIT|"
    r"FOR|FOREACH|FOUND|FROM|GROUP|IF|IN|INSERT|INTO|IS|JOIN|LEFT|LIMIT|LOCKED|LOOP|NOT|NOTHING|NOWAIT|NULL|OF|ON|OR|"
    r"ORDER|PERFORM|QUERY|RAISE|RETURN|RETURNING|RETURNS|SELECT|SET|SHARE|SKIP|STRICT|THEN|UPDATE|USING|VALUES|WHEN|"
    r"WHERE|WHILE|WITH)\b",
    re.IGNORECASE,
)

_END = re.compile(r"(?:;|\bLOOP|\bTHEN|\bELSE|\bBEGIN|\bDECLARE)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """``lines`` are those of the body, from its line 1, which is ``file_line`` of a ``file``, if it stands in one."""

    id: str
    name: str
    file: str
    file_line: int
    lines: Sequence[str]

    @property
    def marked(self) -> list[Markup]:
        """The lines, with their keywords and comments told apart."""
        return [_marked(line) for line in self.lines]

    def place(self, line: int) -> str:
        """``schema.sql:31``: where a line of the body stands; empty when it stands in no file."""
        return f"{self.file}:{self.file_line + line - 1}" if self.file else ""

    def until(self, line: int) -> int:
        """The last line of the statement that begins on ``line``, as far as the text tells."""
        for number, text in enumerate(self.lines[line - 1 :], line):
            if _END.search(text.partition("--")[0]):
                return number
        return line


def sources(stories: Iterable[Mapping[str, Any]]) -> dict[str, Source]:
    """Function, with the types of its arguments, to what it is made of. Empty for stories that bring no sources."""
    found: dict[str, Source] = {}
    for story in stories:
        for name, each in story.get("sources", {}).items():
            if name not in found:
                number = len(found) + 1
                found[name] = Source(
                    f"function-{number}", name, each.get("file", ""), each.get("file_line", 1), each["lines"]
                )
    return found


def _marked(line: str) -> Markup:
    """A line of SQL with its keywords and its comment told apart."""
    parts = []
    end = 0
    for token in _TOKEN.finditer(line):
        parts.append(escape(line[end : token.start()]))
        tag = "i" if token["comment"] else "b" if token["word"] else ""
        parts.append(Markup(f"<{tag}>{{}}</{tag}>").format(token[0]) if tag else escape(token[0]))
        end = token.end()
    return Markup().join([*parts, escape(line[end:])])
