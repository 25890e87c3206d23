"""A story as a Mermaid sequence diagram, which GitHub and GitLab draw in Markdown.

Participants are the sessions. What one does is a note over it; an arrow is a lock that it waits for, or lets go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.report.rows import Row, rows
from harness.report.statement import shorten

STEPS_MAX = 60
"""More are no picture any more."""

TEXT_MAX = 48
"""Characters of one note."""

_UNSAFE = re.compile(r"[^A-Za-z0-9 .,()=+*/'_!?\x80-\U0010ffff-]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]|[\ud800-\udfff]")


def sequence(story: Mapping[str, Any]) -> str:
    """The diagram, without the fence around it. Of a long story the middle is left out, and said to be."""
    names = [str(name) for name in story["sessions"]]
    told = rows(story, full=False)
    first, second = _cut(told)
    lines = ["sequenceDiagram"]
    lines += [f"    participant s{number} as {escaped(name)}" for number, name in enumerate(names)]
    lines += _drawn(first, names)
    if second is not None:
        span = f"s0,s{len(names) - 1}" if len(names) > 1 else "s0"
        left = len({row.step for row in told}) - len({row.step for row in (*first, *second)})
        lines.append(f"    Note over {span}: … {left} more steps, see the replay")
        lines += _drawn(second, names)
    return "\n".join(lines)


def escaped(text: str) -> str:
    """``text`` on one line, with everything that Mermaid or HTML might take for its own as a numeric entity."""
    plain = " ".join(_CONTROL.sub(" ", text).split())
    short = plain if len(plain) <= TEXT_MAX else plain[: TEXT_MAX - 1].rstrip() + "…"
    return _UNSAFE.sub(lambda found: f"#{ord(found[0])};", short) or "-"


def _cut(told: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row] | None]:
    """The rows of the first and of the last steps; one part where all fit."""
    starts = [index for index, row in enumerate(told) if row.step is not None]
    if len(starts) <= STEPS_MAX:
        return told, None
    half = STEPS_MAX // 2
    return told[: starts[half]], told[starts[-half] :]


def _drawn(told: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    """A note for each step, with all that it says in one; what is no step's stands alone."""
    for group in _grouped(told):
        where = f"    Note over s{group[0].session}: "
        said = [f"{group[0].step} ·"] if group[0].step is not None else []
        for row in group:
            arrow = _arrow(row, names)
            if not arrow:
                said.append(escaped(_text(row)))
                continue
            if said:
                yield where + _noted(said)
                said = []
            yield arrow
        if said:
            yield where + _noted(said)


def _noted(said: Sequence[str]) -> str:
    return "<br/>".join(said).replace(" ·<br/>", " · ", 1)


def _arrow(row: Row, names: Sequence[str]) -> str:
    """Who waits points at whom, and who lets go at whoever goes on; empty for a row that tells something else."""
    text = row.text.strip()
    if (peer := text.removeprefix("waits for ")) != text and peer in names:
        return f"    s{row.session}--xs{names.index(peer)}: waits"
    if (peer := text.removeprefix("goes on: ").removesuffix(" let go")) != text and peer in names:
        return f"    s{names.index(peer)}-->>s{row.session}: lets go"
    return ""


def _grouped(told: Sequence[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in told:
        if group and (row.step is not None or row.session != group[0].session):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _text(row: Row) -> str:
    text = " ".join(row.text.split())
    return f"{text} {shorten(row.sql, TEXT_MAX - len(text) - 1)}".strip() if row.sql else text
