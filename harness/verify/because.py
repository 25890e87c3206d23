"""Why a run ended as it did, in one sentence: computed from what its steps read, wrote and committed, never guessed.

Of two sessions that changed one thing, the second one either decided on what it had read before the first one's change,
or it saw the change and went on all the same, or it never looked. In a deadlock it is who waited for whose row. Where
the steps show none of these there is no sentence; nor is it said that nobody looked where a function was called whose
text is not known. Where somebody was to wait for nobody, it is who waited for whom.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.verify.answers import COUNT
from harness.verify.sightings import LENGTH_MAX
from harness.verify.unshown import Unshown
from harness.words.things import things_at_first

Step = Mapping[str, Any]
Tables = Callable[[str], Collection[str]]
"""The kind of a thing (``lead``) to the names of the tables that have a row for each."""

_KINDS = ("lead", "purchase", "top-up", "key", "balance", "reserved for")
"""Of what two sessions may have changed, what tells most comes first."""

_GUILTY = {"lead": "lead", "leads": "lead", "purchase": "purchase", "top-up": "top-up", "workspace": "balance"}
"""What a guilty value names, by its key."""


_NO_TABLES = re.compile(r"%\(\w+\)[sbt]|'[^']*'")
"""Parameters and texts, which may be called as a table is."""

_LOCK = re.compile(
    r"\b(?:SELECT|PERFORM)(?:\s+1)?\s+FROM\s+(?:ONLY\s+)?(?:\w+\.)?\w+(?:\s+(?:AS\s+)?\w+)?\s+WHERE\s+(?:\w+\.)?id\s*=\s*"
    r"(?:ANY\s*\([^()]*\)|[\w.]+|%\(\w+\)s)(?:\s+ORDER\s+BY\s+(?:\w+\.)?id)?\s+FOR\s+(?:NO\s+KEY\s+)?UPDATE\b",
    re.IGNORECASE,
)
"""Locks rows by their ids, and gives none of their columns: no look at them."""

_SEEN_AS = {"balance": "workspace"}
"""What a session sees of the row of a balance is whose it is."""

_RAN = "ran"
"""The text that ran in a step, what no step shows included."""

_SEEN = "seen"
"""The things that the step saw."""

_FINAL = {"lead": ("sold",), "purchase": ("completed", "refunded", "cancelled", "failed", "refund_required")}
"""From where a thing does not come back."""
_MAY_FOLLOW = {"completed": "refunded", "refund_required": "refunded"}
"""But money may go back."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What a session made of a thing: ``step`` is that of its commit."""

    kind: str
    name: str
    session: str
    step: int
    before: str
    after: str


def because(
    story: Mapping[str, Any], guilty: Mapping[str, str], tables: Tables, unshown: Unshown
) -> dict[str, Any] | None:
    """``sentence`` and ``steps``, for a story that has been looked at (``harness.verify.exhibit``)."""
    things = _things(story)
    steps = [{**step, _RAN: _ran(step, unshown), _SEEN: _seen(step, things)} for step in story["steps"]]
    if "waits" in guilty:
        return _stall(steps, story["sessions"], guilty)
    return _deadlock(steps) or _change_upon_change(steps, guilty, tables)


def _ran(step: Step, unshown: Unshown) -> str | None:
    """All the text that ran in a step; None where it is not known."""
    shown = f"{step.get('statement', '')}; {step.get('sent', '')}"
    more = unshown(shown)
    return None if more is None else f"{shown}; {more}"


def _deadlock(steps: Sequence[Step]) -> dict[str, Any] | None:
    """Who waited for which row of whom, in the order in which they began to."""
    closed = next((event for step in steps for event in step["events"] if event["kind"] == "deadlock"), None)
    if closed is None or "cycle" not in closed:
        return None
    since = {event["session"]: step["step"] for step in steps for event in step["events"] if event["kind"] == "wait"}
    waits = sorted(closed["cycle"], key=lambda wait: since.get(wait["session"], len(steps)))
    if any("row" not in wait or wait["session"] not in since for wait in waits):
        return None
    parts = [_waited(wait["session"], since[wait["session"]], wait["row"], wait["waits_for"]) for wait in waits]
    return _said(f"{', and '.join(parts)}: none of them could go on", [since[wait["session"]] for wait in waits])


def _stall(steps: Sequence[Step], sessions: Sequence[str], guilty: Mapping[str, str]) -> dict[str, Any] | None:
    """Who waited for whom, from the one who was to wait for nobody of the kind up to that one."""
    who, last = (sessions[int(guilty[key])] for key in ("waits", "for"))
    waiting: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for step in steps:
        for event in step["events"]:
            if event["kind"] != "wait":
                waiting.pop(event["session"], None)
                continue
            waiting[event["session"]] = step["step"], event
            if chain := _chain(waiting, who, last):
                parts = [_waited(each["session"], since, each["row"], each["peers"][0]) for since, each in chain]
                return _said(", and ".join(parts), [since for since, _ in chain])
    return None


def _chain(
    waiting: Mapping[str, tuple[int, Mapping[str, Any]]], who: str, last: str
) -> list[tuple[int, Mapping[str, Any]]]:
    """The waits from one session to another, in the order in which they began; none where one is for several sessions
    or for what was not seen."""
    chain: list[tuple[int, Mapping[str, Any]]] = []
    while who != last:
        since, event = waiting.get(who, (-1, {}))
        if "row" not in event or len(event["peers"]) != 1 or len(chain) == len(waiting):
            return []
        chain.append((since, event))
        who = event["peers"][0]
    return sorted(chain, key=lambda each: each[0])


def _waited(who: str, since: int, row: Mapping[str, Any], other: str) -> str:
    return f"{who} waited from step {since} on for {_row(row)}, which {other} had locked"


def _row(row: Mapping[str, Any]) -> str:
    return str(row["name"] or (f"a row of {row['table']}" if row["table"] else "what"))


def _change_upon_change(steps: Sequence[Step], guilty: Mapping[str, str], tables: Tables) -> dict[str, Any] | None:
    named = {
        (_GUILTY[key], name)
        for key, value in guilty.items()
        if key in _GUILTY
        for name in value.replace(",", " ").split()
    }
    pairs = sorted(
        _pairs(list(_changes(steps))),
        key=lambda pair: ((pair[1].kind, pair[1].name) not in named, _KINDS.index(pair[1].kind), -pair[1].step),
    )
    for first, second in pairs:
        if found := _explained(steps, first, second, tables):
            return found
    charged = (change for change in _changes(steps) if (change.kind, change.name) in named)
    return next(filter(None, (_charge_unseen(steps, change, tables) for change in charged)), None)


def _changes(steps: Sequence[Step]) -> Iterator[_Change]:
    for step in steps:
        for commit in step.get("commits", ()):
            kind = next((each for each in _KINDS if commit["name"].startswith(f"{each} ")), None)
            if kind is not None:
                name = commit["name"].removeprefix(f"{kind} ")
                yield _Change(kind, name, step["session"], step["step"], commit["before"], commit["after"])


def _pairs(changes: Sequence[_Change]) -> Iterator[tuple[_Change, _Change]]:
    """Changes of one thing right after one another, by two sessions; of what was at its end at the start, the first."""
    last: dict[tuple[str, str], _Change] = {}
    for change in changes:
        before = last.get((change.kind, change.name))
        may_follow = _MAY_FOLLOW.get(change.before) == change.after.partition(",")[0]
        if before is None and change.before in _FINAL.get(change.kind, ()) and not may_follow:
            before = _Change(change.kind, change.name, "", -1, "", change.before)
        if before is not None and before.session != change.session:
            yield before, change
        last[change.kind, change.name] = change


def _explained(steps: Sequence[Step], first: _Change, second: _Change, tables_of: Tables) -> dict[str, Any] | None:
    if not (tables := tables_of(second.kind)):
        return None
    own = [step for step in steps if step["session"] == second.session and step["step"] <= second.step]
    writes = [step["step"] for step in own if _writes(step, tables)]
    write = writes[-1] if writes else second.step
    looks = [step for step in own if step["step"] < write and _reads(step, tables) and not _sees_another(step, second)]
    thing, who = f"{second.kind} {second.name}", second.session
    made = f"{first.session} made {thing} {first.after} at step {first.step}"
    if first.step < 0:
        made = f"{thing} was {first.after} from the start"
    then = f"made it {second.after} at step {second.step}"
    stale = bool(looks) and _sees_up_to(steps, looks[-1]) < first.step
    # What a balance is says nothing against changing it, unless it is too little: what it is changed for may.
    if second.kind == "balance" and not stale and not second.after.startswith("-"):
        return _charge_unseen(steps, second, tables_of)
    if not looks:
        before = [step for step in own if step["step"] < write]
        hidden = any(step[_RAN] is None for step in own if step["step"] <= write)
        if hidden or not writes or any(_reads(step, tables) for step in before):
            return None
        named = " or ".join(sorted(tables))
        seen = f"the write at step {write} was the first statement on {named}"
        if any(_names(step, tables) for step in before):
            seen = f"up to the write at step {write}, it had locked rows of {named} and read none of their columns"
        elif len(writes) > 1:
            seen = f"up to the write at step {write}, no statement of its own read {named}"
        return _said(f"{made}; {who} {then}, and had not looked: {seen}", [first.step, write, second.step])
    look = looks[-1]
    if not stale:
        read = f"read it{'' if first.step < 0 else ' after that,'} at step {look['step']}, and"
        if look["step"] < first.step:
            read = f"waited from step {look['step']} on, read it after that, and"
        return _said(
            f"{made}; {who} {read} {then} all the same",
            [first.step, look["step"], second.step],
        )
    later = [step for step in own if step["step"] > look["step"]]
    unsure = any(step[_RAN] is None or (step["step"] < write and _reads(step, tables)) for step in later)
    looked = "" if unsure else ", without another look,"
    return _said(
        f"{who} read {thing} at step {look['step']}, when it was {first.before}; {first.session} made it {first.after} "
        f"at step {first.step}; and {who}{looked} {then}",
        [look["step"], first.step, second.step],
    )


def _charge_unseen(steps: Sequence[Step], change: _Change, tables: Tables) -> dict[str, Any] | None:
    """A balance that was changed for a purchase, or a top-up, which nobody had looked at."""
    balances = tables("balance")
    if change.kind != "balance" or not balances:
        return None
    own = [step for step in steps if step["session"] == change.session and step["step"] <= change.step]
    kinds = [kind for kind in ("purchase", "top-up") if tables(kind)]
    kind = next((kind for kind in kinds if any(_names(step, tables(kind)) for step in own)), "purchase")
    writes = [step["step"] for step in own if _writes(step, balances)]
    looked = (step[_RAN] is None or _names(step, tables(kind)) for step in own if step["step"] < writes[-1])
    if not (writes and tables(kind)) or any(looked):
        return None
    return _said(
        f"{change.session} made balance {change.name} {change.after}, which had been {change.before}, at step "
        f"{change.step}, and had read no {kind} before the write at step {writes[-1]}: no statement on "
        f"{' or '.join(sorted(tables(kind)))} came before it",
        [writes[-1], change.step],
    )


def _sees_up_to(steps: Sequence[Step], look: Step) -> int:
    """The last step whose commits a read saw; one that waited for a row looked again when it was woken."""
    if any(event["kind"] == "wait" and event["session"] == look["session"] for event in look["events"]):
        for step in steps[look["step"] :]:
            if any(event["kind"] == "wake" and event["session"] == look["session"] for event in step["events"]):
                return int(step["step"])
    return int(look.get("reads", look["step"] - 1))


def _target(tables: Collection[str]) -> str:
    return rf"\b(?:UPDATE(?:\s+ONLY)?|INSERT\s+INTO|DELETE\s+FROM)\s+(?:\w+\.)?(?:{'|'.join(map(re.escape, tables))})\b"


def _writes(step: Step, tables: Collection[str]) -> bool:
    return bool(re.search(_target(tables), step.get("statement", ""), re.IGNORECASE))


def _reads(step: Step, tables: Collection[str]) -> bool:
    """A table is named, and not only as what is written or locked."""
    return _names({**step, _RAN: _LOCK.sub("", _text(step))}, tables)


def _text(step: Step) -> str:
    return str(step[_RAN] or step.get("statement", ""))


def _names(step: Step, tables: Collection[str]) -> bool:
    """A table is named, and not only as what is written."""
    text = _NO_TABLES.sub("''", _text(step))
    rest = re.sub(_target(tables), "", text, flags=re.IGNORECASE)
    named = rf"(?:\b(?:FROM|JOIN|USING)|,)\s+(?:ONLY\s+)?(?:\w+\.)?(?:{'|'.join(map(re.escape, tables))})\b(?!\s*[.(])"
    return bool(re.search(named, rest, re.IGNORECASE))


def _sees_another(step: Step, change: _Change) -> bool:
    """What the step saw names things of this kind, and not the one that was changed: that row was not read there."""
    kind = _SEEN_AS.get(change.kind, change.kind)
    named = {thing for thing in step[_SEEN] if thing.startswith(f"{kind} ")}
    return bool(named) and f"{kind} {change.name}" not in named


def _things(story: Mapping[str, Any]) -> set[str]:
    """All things of a run, as what a step saw names them."""
    known = [f"{kind} {name}" for kind, name in things_at_first(story.get("start", {}))]
    known += [commit["name"] for step in story["steps"] for commit in step.get("commits", ())]
    kinds = [thing.partition(" ") for thing in known]
    return {f"{_SEEN_AS.get(kind, kind)} {name}" for kind, _, name in kinds}


def _seen(step: Step, things: Collection[str]) -> set[str]:
    """What the step saw of these; none where it saw more than is told: several rows, of which only the last one is, or
    a value that was too long."""
    seen = {each["name"]: each["value"] for each in step.get("saw", ())}
    if COUNT in seen or any(len(value) >= LENGTH_MAX for value in seen.values()):
        return set()
    text = "\n".join(seen.values())
    return {thing for thing in things if re.search(rf"\b{re.escape(thing)}(?![^\s,\]\"])", text)}


def _said(sentence: str, steps: Sequence[int]) -> dict[str, Any]:
    return {"sentence": sentence, "steps": sorted({step for step in steps if step >= 0})}
