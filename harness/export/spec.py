"""The run as a specification for PostgreSQL's own isolationtester: sessions, named steps, and one permutation.

A session goes from point to point inside its functions because a session ``gate`` gives back one lock after the other.
What a step waits for besides is shown by the tester itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.export.ground import drop_roles, ground, own, session_settings
from harness.export.script import Answer, Place, Script, Step
from harness.export.spelling import comment, ended, without_closing_braces, words

GATE = "gate"
CHECK = "check"
_KEYWORDS = ("notices", "permutation", "session", "setup", "step", "teardown")
_NAME_MAX = 60


@dataclass(frozen=True, slots=True)
class SpecSession:
    """A session: its setup, and its steps by name."""

    name: str
    setup: str
    steps: dict[str, str]


@dataclass(frozen=True, slots=True)
class Spec:
    """A specification: ``text`` is the file, the rest what it says.

    ``permutation`` are (session, step), ``recorded`` the answers that the server gave to a step when it was recorded.
    """

    text: str
    setups: tuple[str, ...]
    teardown: str
    sessions: tuple[SpecSession, ...]
    permutation: tuple[tuple[str, str], ...]
    recorded: Mapping[str, tuple[Answer, ...]]


def spec_of(script: Script, name: str) -> Spec:
    """The specification; ``name`` is that of its file, without the ending."""
    setups = [without_closing_braces(own("empty.sql"))]
    setups_told = [("", setups[0])]
    for part in ground(script, "gate.sql"):
        for piece in part.pieces:
            setups.append(without_closing_braces(piece))
            setups_told.append((part.about, setups[-1]))
    teardown = "\n".join([own("emptied.sql"), drop_roles(script.subject.roles)])
    sessions, permutation, recorded = _sessions(script)
    text = "\n".join(_lines(script, name, setups_told, teardown, sessions, permutation)) + "\n"
    order = tuple((owner, step) for owner, step, _ in permutation)
    return Spec(text, tuple(setups), teardown, tuple(sessions), order, recorded)


_Permutation = list[tuple[str, str, Step | None]]


def _sessions(script: Script) -> tuple[list[SpecSession], _Permutation, dict[str, tuple[Answer, ...]]]:
    numbers = {session: number for number, session in enumerate(script.sessions, 1)}
    own_names = words(script.sessions, (GATE, CHECK, *_KEYWORDS))
    clients = {
        session: SpecSession(own_names[session], _preparation(script, session, number), {})
        for session, number in numbers.items()
    }
    turns = dict.fromkeys(script.sessions, 0)
    held: list[tuple[int, int]] = []
    opened: dict[str, str] = {}
    permutation: _Permutation = []
    recorded: dict[str, tuple[Answer, ...]] = {}
    for step in script.steps:
        session = step.session
        if step.sends:
            text = "\n".join(ended(sent.text) for sent in step.sends)
            step_name = _step_name(own_names[session], step)
            clients[session].steps[step_name] = without_closing_braces(text)
            recorded[step_name] = tuple(sent.answer for sent in step.sends)
            turns[session] += step.place is not None
            permutation.append((own_names[session], step_name, step))
        else:
            assert step.place is not None
            turns[session] += 1
            held.append((numbers[session], turns[session]))
            step_name = _step_name(own_names[session], step)
            opened[step_name] = without_closing_braces(
                f"CALL harness.let_on({numbers[session]}, {turns[session]}) /* {_place(session, step.place)} */"
            )
            permutation.append((GATE, step_name, step))
        if step.victim is not None:
            step_name = f"{_number(step)}_deadlock"
            opened[step_name] = f"CALL harness.await_deadlock({numbers[step.victim]})"
            permutation.append((GATE, step_name, None))
    locks = ", ".join(f"({session}, {turn})" for session, turn in held)
    hold = (
        "DO $$ BEGIN PERFORM pg_advisory_lock(harness.key(session, turn)) "
        f"FROM (VALUES {locks}) AS held (session, turn); END $$;"
    )
    looks = {f"{CHECK}_{probe.name}": without_closing_braces(ended(probe.query)) for probe in script.probes}
    recorded |= {f"{CHECK}_{probe.name}": (probe.answer,) for probe in script.probes}
    permutation += [(CHECK, look, None) for look in looks]
    gate = [SpecSession(GATE, hold if held else "", opened)] if opened else []
    return [*clients.values(), *gate, SpecSession(CHECK, "", looks)], permutation, recorded


def _preparation(script: Script, session: str, number: int) -> str:
    settings = [*session_settings(script, session)]
    role = [settings.pop()] if script.role else []
    lines = [
        f"SET harness.session TO '{number}'",
        "CREATE TEMP SEQUENCE harness_turn",
        f"INSERT INTO harness.client VALUES ({number}, pg_backend_pid())",
        "SET statement_timeout TO '60s'",
        *settings,
        *role,
    ]
    return without_closing_braces(";\n".join(lines) + ";")


def _step_name(session: str, step: Step) -> str:
    if step.inside:
        assert step.place is not None
        return f"{_number(step)}_{session}_line_{step.place.line}"
    text = step.sends[-1].text
    entered = re.search(r"(\w+)\(", step.place.function) if step.place else None
    # The function that it comes into, unless that is a trigger's or one that another calls.
    called = entered and re.search(rf"\b{entered[1]}\s*\(", text)
    words = [entered[1]] if entered and called else re.findall(r"\w+", re.sub(r"'[^']*'", "", text))[:3]
    return f"{_number(step)}_{session}_{'_'.join(words).lower()}"[:_NAME_MAX]


def _number(step: Step) -> str:
    return f"s{step.number}" if step.number >= 0 else f"before{-step.number}"


def _place(session: str, place: Place) -> str:
    return comment(f"{session}: {place}")


def _lines(
    script: Script,
    name: str,
    setups: Sequence[tuple[str, str]],
    teardown: str,
    sessions: Sequence[SpecSession],
    permutation: Sequence[tuple[str, str, Step | None]],
) -> Iterator[str]:
    recording = script.recording
    yield f"# {recording.property} is violated: {comment(script.why)}"
    yield f"# {recording.subject}, {recording.scenario}, {script.isolation}"
    yield "#"
    yield "# For PostgreSQL's isolationtester, in an empty database of its own, as a superuser:"
    yield f"#     isolationtester 'dbname=...' < {name}.spec | diff expected/{name}.out -"
    yield "# (or: pg_isolation_regress --inputdir=...). The rows at the end show the violation. A step of the session"
    yield "# gate lets another one go on inside its function; <waiting ...> is shown where that stops, and where it"
    yield "# waits for a lock."
    told = ""
    for about, text in setups:
        yield ""
        if about and about != told:
            yield f"# {comment(about)}"
        told = about
        yield f"setup {{ {text} }}"
    yield ""
    yield f"teardown {{ {teardown} }}"
    for session in sessions:
        yield ""
        yield f"session {session.name}"
        if session.setup:
            yield f"setup {{ {session.setup} }}"
        for name_of_step, text in session.steps.items():
            yield f"step {name_of_step} {{ {text} }}"
    yield ""
    yield "permutation"
    for _, step_name, step in permutation:
        remark = _remark(step)
        yield f"  {step_name}" + (f"  # {remark}" if remark else "")


def _remark(step: Step | None) -> str:
    if step is None:
        return ""
    parts = [step.title and f"begins {step.title}"]
    parts += [f"{step.victim} is told of a deadlock"] if step.victim else []
    parts += [f"{', '.join(step.waits)} waits for a lock"] if step.waits else []
    parts += step.told
    return comment("; ".join(part for part in parts if part))
