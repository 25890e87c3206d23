"""The run as scripts for psql, one for each session: they hand the baton to one another, and nobody leads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from harness.export.ground import drop_roles, ground, own, session_settings
from harness.export.script import Script, Step
from harness.export.spelling import comment, ended, words

_TAKEN = ("setup", "check", "teardown", "turn")


def psql_files(script: Script) -> dict[str, str]:
    """The text of each file, by name. ``run.sh`` and ``turn.sh`` are to be executable."""
    names = words(script.sessions, _TAKEN)
    numbers = {session: number for number, session in enumerate(script.sessions, 1)}
    files = {"setup.sql": _setup(script, numbers), "check.sql": _check(script), "turn.sh": _TURN}
    for session, name in names.items():
        files[f"{name}.sql"] = "\n".join(_session(script, session, numbers[session])) + "\n"
    files["teardown.sql"] = f"{drop_roles(script.subject.roles)}\n" if script.subject.roles else ""
    files["run.sh"] = own("run.sh.in").replace("@SESSIONS@", " ".join(names.values())) + "\n"
    files["README.md"] = _readme(script, list(names.values()))
    return files


# -- before -------------------------------------------------------------------------------------------------------


def _setup(script: Script, numbers: Mapping[str, int]) -> str:
    lines = [f"-- What is there before anybody acts: {_named(script)}. Run it in an empty database.", _OPENING]
    told = ""
    for part in ground(script, "baton.sql"):
        lines += ["", f"-- {comment(part.about)}"] if part.about != told else [""]
        told = part.about
        lines += part.pieces
    sessions = [(number, session) for session, number in numbers.items()]
    lines += ["", "-- The run.", _insert("session", sessions)]
    lines += [f"CREATE SEQUENCE harness.stops_{number} MINVALUE 0;" for number in numbers.values()]
    stops, needs = _order(script, numbers)
    lines += [_insert("stop", stops), _insert("need", needs)]
    return "\n".join(lines) + "\n"


def _insert(table: str, rows: Sequence[tuple[object, ...]]) -> str:
    values = sql.SQL(",\n  ").join(
        sql.SQL("({})").format(sql.SQL(", ").join(sql.Literal(value) for value in row)) for row in rows
    )
    return sql.SQL("INSERT INTO {} VALUES\n  {};").format(sql.Identifier("harness", table), values).as_string()


def _order(script: Script, numbers: Mapping[str, int]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The rows of ``harness.stop`` and of ``harness.need`` (baton.sql)."""
    stops: list[tuple[object, ...]] = []
    places: dict[str, list[int]] = {session: [] for session in numbers}
    """Of each session: the numbers of its stops, those that are passed left out."""
    counted = dict.fromkeys(numbers, 0)

    def stop(session: str, step: int | None, point: int | None, place: str) -> None:
        if step is not None:
            places[session].append(counted[session])
        stops.append((numbers[session], counted[session], step, point, place))
        counted[session] += 1

    for step in script.steps:
        if step.sends:
            stop(step.session, step.number, None, f"step {step.number}")
            if step.place is not None:
                stop(step.session, None, step.place.point, f"{step.place.function} {step.place}")
        elif step.place is not None:
            stop(step.session, step.number, step.place.point, f"{step.place.function} {step.place}")
    for session in numbers:
        places[session].append(counted[session])  # its end, which has no row
    needs: list[tuple[object, ...]] = []
    came = dict.fromkeys(numbers, 0)
    waits: tuple[str, ...] = ()
    for step in script.steps:
        needs += [
            (step.number, numbers[session], places[session][came[session]], session in waits) for session in numbers
        ]
        for session in step.stops:
            came[session] += 1
        waits = step.waits
    return stops, needs


# -- a session ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Transaction:
    """How a session stands between two steps, and whose error is yet to be looked at."""

    inside: bool = False
    aborted: bool = False
    unseen: list[tuple[int, str]] = field(default_factory=list)


def _session(script: Script, session: str, number: int) -> Iterator[str]:
    yield f"-- {session}, one of {len(script.sessions)} sessions of a run that run.sh starts together:"
    yield f"-- {_named(script)}"
    yield _OPENING
    *settings, last = session_settings(script, session)
    for setting in settings:
        yield f"{setting};"
    yield "SET statement_timeout TO '120s';"
    yield f"CALL harness.enter({number});"
    yield f"{last};"
    now = _Transaction()
    steps = script.of(session)
    for place, step in enumerate(steps):
        if step.inside:
            continue
        yield ""
        yield from _step(script, step, number, now)
        for inner in steps[place + 1 :]:
            if not inner.inside:
                break
            yield f"--   step {inner.number} begins at {comment(str(inner.place))}{_remarks(inner)}"
    yield ""
    yield f"CALL harness.leave({number});"


def _step(script: Script, step: Step, number: int, now: _Transaction) -> Iterator[str]:
    yield f"-- step {step.number}{': ' if step.title else ''}{comment(step.title)}{_remarks(step)}"
    if now.aborted or (now.inside and script.isolation != "read committed"):
        # Here a query would be refused, or take the snapshot of the transaction.
        yield f"\\set came `./turn.sh {number} {step.number}`"
        yield "\\if :came"
        yield "\\else"
        yield "  \\quit"
        yield "\\endif"
    else:
        yield f"CALL harness.turn({number}, {step.number});"
    for sent in step.sends:
        failed = sent.answer.sqlstate
        if failed:
            yield f"-- It ends in an error, {failed}: {comment(sent.answer.message)}"
            yield "\\set ON_ERROR_STOP off"
        yield ended(sent.text)
        if failed:
            yield f"\\set error_of_{_index(step)} :SQLSTATE"
            yield "\\set ON_ERROR_STOP on"
            now.unseen.append((step.number, failed))
        _follow(sent.text, failed, now)
    if step.place is not None:
        yield f"--   it begins at {comment(str(step.place))} of {comment(step.place.function)}"
    if not now.inside:
        for place, state in now.unseen:
            index = str(place).replace("-", "m")
            yield f"CALL harness.failed_as_recorded({place}, :'error_of_{index}', {sql.Literal(state).as_string()});"
        now.unseen.clear()


def _follow(text: str, failed: str, now: _Transaction) -> None:
    if re.match(r"\s*(BEGIN|START\s+TRANSACTION)\b", text, re.IGNORECASE):
        now.inside = True
    elif re.match(r"\s*(COMMIT|END|ABORT|ROLLBACK)\b(?!\s+TO\b)", text, re.IGNORECASE):
        now.inside = now.aborted = False
    elif failed and now.inside:
        now.aborted = True


def _index(step: Step) -> str:
    return str(step.number).replace("-", "m")


def _remarks(step: Step) -> str:
    parts = [f"{step.victim} is told of a deadlock"] if step.victim else []
    parts += [f"{', '.join(step.waits)} waits for a lock"] if step.waits else []
    parts += step.told
    return f" ({comment('; '.join(parts))})" if parts else ""


# -- after --------------------------------------------------------------------------------------------------------


def _check(script: Script) -> str:
    recording = script.recording
    lines = [f"-- How the run ended, beside how it ended when it was recorded: {_named(script)}.", _OPENING]
    for probe in script.probes:
        columns = [sql.Identifier(name) for name in probe.answer.columns]
        form = sql.Literal(" | ".join(["%s"] * len(columns)))
        rows = sql.SQL(",\n    ").join(sql.Literal(" | ".join(each or "" for each in row)) for row in probe.answer.rows)
        compared = sql.SQL(
            "SELECT ARRAY(SELECT format({}, {}) FROM (\n{}\n) AS seen) = ARRAY[\n    {}\n]::text[] AS {} \\gset"
        ).format(
            form,
            sql.SQL(", ").join(columns),
            sql.Composed([sql.SQL(probe.query)]),
            rows,
            sql.Identifier(f"same_{probe.name}"),
        )
        lines += ["", f"\\echo {probe.name}", f"{probe.query};", compared.as_string()]
    same = " AND ".join(f":'same_{probe.name}'" for probe in script.probes)
    said = sql.Literal(f"{recording.property} is violated: {' '.join(script.why.split())}").as_string()
    lines += [
        "",
        f"SELECT {same} AS as_recorded, {said} AS violated \\gset",
        "\\if :as_recorded",
        "  \\echo The end is the recorded one.",
        "  \\echo :violated",
        "\\else",
        "  \\warn The end is not the recorded one: other functions, or a session was stopped.",
        "  DO $$ BEGIN RAISE EXCEPTION 'not the recorded end'; END $$;",
        "\\endif",
    ]
    return "\n".join(lines) + "\n"


def _named(script: Script) -> str:
    recording = script.recording
    return f"{comment(recording.scenario)} on {comment(recording.subject)}, {script.isolation}"


_OPENING = """\\set ON_ERROR_STOP on
\\set QUIET on
\\if :{?database}
  \\connect :database
\\endif
SET client_min_messages TO warning;"""

_TURN = """#!/bin/sh
# Waits for the turn of a step outside the session's own transaction. Says true when it has come.
exec 2>&1
"${PSQL:-psql}" -X -q -d "${SERVER:-dbname=postgres}" -v database="$DATABASE" -v ON_ERROR_STOP=1 >&2 <<EOF && echo true
\\\\connect :database
CALL harness.turn($1, $2);
EOF
[ $? -eq 0 ] || echo false
"""


def _readme(script: Script, names: Sequence[str]) -> str:
    recording = script.recording
    told = [f"- step {step.number}: {line}" for step in script.steps for line in step.told]
    return "\n".join(
        [
            f"# {recording.property} is violated",
            "",
            script.why,
            "",
            f"A run of `{recording.scenario}` on `{recording.subject}` ({script.isolation}), as psql scripts.",
            "It needs psql and a PostgreSQL server on which you are a superuser; it makes a database of its own there",
            "and drops it in the end.",
            "",
            "    ./run.sh 'host=localhost user=postgres dbname=postgres'",
            "",
            "`run.sh` exits 0 when the run ended as it was recorded (the property is violated), 1 when it did not, 2",
            "when it could not be set up. `PSQL` names another psql, `KEEP=1` keeps the database to look around in.",
            "",
            "| file | |",
            "|---|---|",
            "| `setup.sql` | roles, migrations, the start, and the functions with a point before each statement |",
            *(f"| `{name}.sql` | a session: start it in a terminal of its own to watch it |" for name in names),
            "| `check.sql` | the end, and whether it is the recorded one |",
            "| `turn.sh` | waits for a step's turn where the session's own transaction must not be asked |",
            "| `teardown.sql` | drops the roles that were made |",
            "",
            "What the clients are told:",
            "",
            *told,
            "",
            "Each session waits at each step until the others have come as far as in the recorded run (the baton in",
            "`setup.sql`). With other functions than those that were recorded the sessions end with an error that says",
            "so.",
            "",
        ]
    )
