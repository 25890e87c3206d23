"""Why a function is slower: what it executes on either side, and what the catalogs have, laid side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any

from harness.compare.catalog import Catalog
from harness.compare.explained import Executed

SAME = 0.6
"""Two statements whose texts are so alike are one that was changed."""

MORE = "pages"
"""The kind of a cause that is perhaps a consequence: the same statement with the same plan reads more."""

_MARK = re.compile(r"\bFOR\s+(NO\s+KEY\s+UPDATE|UPDATE|KEY\s+SHARE|SHARE)\b", re.IGNORECASE)
_TEXT_MAX = 100


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that has changed. ``kind`` is index, statement, plan, pages, lock, source or catalog.

    The rest is there if it is known.
    """

    kind: str
    function: str | None
    line: int | None
    statement: str | None
    text: str
    weight: int = 0
    """How many pages more it is for a call."""

    def entry(self) -> dict[str, Any]:
        """As the run document has it."""
        return {name: value for name, value in asdict(self).items() if name != "weight"}


def causes(
    base: Sequence[Executed], candidate: Sequence[Executed], before: Catalog, after: Catalog, called: Sequence[str]
) -> list[Cause]:
    """What has changed for a call, what weighs most first. ``called`` are the functions that the client calls."""
    found = [*_indexes(base, candidate, before, after), *_triggers(candidate, before, after)]
    told = {(each.function, each.statement) for each in found}
    statements = [each for each in _statements(base, candidate) if (each.function, each.statement) not in told]
    found += sorted(statements, key=lambda each: each.weight, reverse=True)
    # A statement that only reads more pages, by the plan that it had, may read what a changed one has left behind.
    found = [each for each in found if each.kind != MORE] or found
    explained = {each.function for each in found}
    reached = {each.function for each in (*base, *candidate)}
    changed = [name for name in after.sources if name in before.sources and before.sources[name] != after.sources[name]]
    near = [name for name in changed if name in reached or name.partition("(")[0] in called]
    for name in near or ([] if found else changed):
        if name not in explained:
            found += _source(name, before.sources[name], after.sources[name])
    return found


def _indexes(
    base: Sequence[Executed], candidate: Sequence[Executed], before: Catalog, after: Catalog
) -> Iterator[Cause]:
    """Indexes that the base used and the candidate has not, and new ones on tables that the candidate writes."""
    kept = {(definition, table) for definition, table in after.indexes.values()}
    for name, (definition, table) in before.indexes.items():
        users = [each for each in base if any(node.endswith(f" using {name}") for node in each.nodes)]
        if (definition, table) in kept or not users:
            continue
        user = users[0]
        now = next((each for each in candidate if (each.function, each.text) == (user.function, user.text)), None)
        text = f"the index {name} on {table} is gone"
        if now is not None:
            instead = next(
                (node for node in now.nodes if re.search(rf" on {re.escape(table)}\b", node)), "another plan"
            )
            text += f": {_where(now)} now has {instead}, {_pages(now)} instead of {user.buffers}: {_short(now.text)}"
        yield Cause("index", user.function, user.line, user.text, text)
    known = {definition for definition, _ in before.indexes.values()}
    written = {
        table for each in candidate for table in each.tables if any("ModifyTable" in node for node in each.nodes)
    }
    for name, (definition, table) in after.indexes.items():
        if definition not in known and table in written:
            yield Cause("index", None, None, None, f"the index {name} on {table} is new: every write has to keep it")


def _triggers(candidate: Sequence[Executed], before: Catalog, after: Catalog) -> Iterator[Cause]:
    tables = {table for each in candidate for table in each.tables}
    for definition, table in after.triggers.items():
        if definition not in before.triggers and table in tables:
            yield Cause("catalog", None, None, None, f"a trigger on {table} is new: {_short(definition)}")


def _statements(base: Sequence[Executed], candidate: Sequence[Executed]) -> Iterator[Cause]:
    old = {(each.function, each.text): each for each in base}
    new = {(each.function, each.text): each for each in candidate}
    gone = [each for key, each in old.items() if key not in new]
    for key, now in new.items():
        then = old.get(key)
        if then is not None:
            yield from _same_text(then, now)
            continue
        alike = max(gone, key=lambda each: _likeness(each, now), default=None)
        if alike is not None and _likeness(alike, now) >= SAME:
            gone.remove(alike)
            yield _changed(alike, now)
        else:
            yield _added(now)


def _likeness(one: Executed, other: Executed) -> float:
    return SequenceMatcher(None, one.text, other.text).ratio() if one.function == other.function else 0.0


def _added(now: Executed) -> Cause:
    mark = _MARK.search(now.text)
    kind = "lock" if mark else "statement"
    what = f"locks rows (FOR {' '.join(mark[1].upper().split())})" if mark else "is new"
    if mark:
        what = f"is new and {what}"
    cost = f"{_pages(now)} and {now.wal_bytes} bytes of WAL a call"
    text = f"{_where(now)} {what}, {cost}: {_short(now.text)}"
    return Cause(kind, now.function, now.line, now.text, text, now.buffers)


def _changed(then: Executed, now: Executed) -> Cause:
    marks = [_MARK.search(each.text) for each in (then, now)]
    kind = "lock" if (marks[0] is None) != (marks[1] is None) else "statement"
    cost = f"{_pages(now)} a call" + ("" if now.buffers == then.buffers else f" instead of {then.buffers}")
    text = f"{_where(now)} was changed, {cost}: {_short(now.text)}; it was: {_short(then.text)}"
    return Cause(kind, now.function, now.line, now.text, text, now.buffers - then.buffers)


def _same_text(then: Executed, now: Executed) -> Iterator[Cause]:
    if now.times > then.times:
        text = f"{_where(now)} runs {now.times} times a call instead of {then.times}: {_short(now.text)}"
        yield Cause("statement", now.function, now.line, now.text, text, now.buffers - then.buffers)
        return
    scans = [node for node in now.nodes if node.startswith("Seq Scan") and node not in then.nodes]
    more = now.buffers > 1.1 * then.buffers + 1
    if scans or (now.nodes != then.nodes and more):
        how = scans[0] if scans else f"the plan {' > '.join(now.nodes)}"
        text = f"{_where(now)} now has {how}, {_pages(now)} a call instead of {then.buffers}: {_short(now.text)}"
        yield Cause("plan", now.function, now.line, now.text, text, now.buffers - then.buffers)
    elif more:
        text = f"{_where(now)} looks at {_pages(now)} a call instead of {then.buffers}: {_short(now.text)}"
        yield Cause(MORE, now.function, now.line, now.text, text, now.buffers - then.buffers)


def _source(name: str, before: str, after: str) -> Iterator[Cause]:
    """The first stretch of lines that is new or changed; a function that only lost lines is told without any."""
    old, new = before.splitlines(), after.splitlines()
    for tag, _, _, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag in ("insert", "replace") and (text := " ".join(" ".join(new[start:end]).split())):
            what = "is new" if tag == "insert" else "was changed"
            said = f"{_bare(name)} line {start + 1} {what}, and the statements of SQL are the same: {_short(text)}"
            yield Cause("source", name, start + 1, text, said)
            return
    yield Cause("source", name, None, None, f"{_bare(name)} was changed: lines are gone")


def _where(each: Executed) -> str:
    return f"{_bare(each.function)} line {each.line}"


def _bare(function: str) -> str:
    return function.partition("(")[0]


def _pages(each: Executed) -> str:
    return f"{each.buffers} page{'' if each.buffers == 1 else 's'}"


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 1].rstrip() + "…"
