"""What must be in a database before anybody acts: roles, migrations, names, the start, the functions with points."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import NamedTuple

from pglast import parser
from psycopg import sql

from harness.export.script import Script
from harness.export.spelling import ended
from harness.verify.stages import STEADY_PLANS

_ALONE = re.compile(
    r"\b(CONCURRENTLY|VACUUM|BEGIN;|START TRANSACTION|COMMIT;|ADD VALUE|TABLESPACE|ALTER SYSTEM)\b", re.I
)
"""Words after which a file is cut into its statements: some of them cannot be in one transaction with others."""


class Part(NamedTuple):
    """Some SQL, and what it is for. ``pieces`` are sent one by one."""

    about: str
    pieces: tuple[str, ...]


def ground(script: Script, gate: str) -> Iterator[Part]:
    """Everything, in order; ``gate`` is the file of ours (in this package) with the function ``harness.point``."""
    if script.subject.roles:
        yield Part("The roles; those that are made here are dropped in the end.", (_roles(script.subject.roles),))
    for path in script.subject.migrations:
        text = path.read_text(encoding="utf-8-sig")
        pieces: tuple[str, ...] = (ended(text),)
        if _ALONE.search(text):
            pieces = tuple(ended(text[piece]) for piece in parser.split(text, only_slices=True))
        yield Part(f"{path.parent.name}/{path.name}", (*pieces, "RESET ALL;"))
    names = f"CREATE SCHEMA harness;\nGRANT USAGE ON SCHEMA harness TO PUBLIC;\n\n{naming(script.names)}"
    yield Part("What the things of this run are called.", (names,))
    wipe = ("BEGIN;", "SET LOCAL session_replication_role = replica;", *map(ended, script.wipes), "COMMIT;")
    fill = ("BEGIN;", *map(ended, script.fixtures), "COMMIT;")
    yield Part("The start.", ("\n".join(wipe), "\n".join(fill)))
    yield Part("The points at which a session stops.", (own(gate),))
    for function in script.functions:
        yield Part("A function with a point before each statement that can touch data.", (ended(function),))


def naming(names: Mapping[str, str]) -> str:
    """SQL that makes ``harness.name_of``: an id as text to the name that this run has for it."""
    rows = sql.SQL(",\n  ").join(
        sql.SQL("({}, {})").format(sql.Literal(id_), sql.Literal(name)) for id_, name in names.items()
    )
    table = sql.SQL("CREATE TABLE harness.name (id text PRIMARY KEY, name text NOT NULL);\n")
    fill = sql.SQL("INSERT INTO harness.name VALUES\n  {};\n").format(rows)
    function = (
        "CREATE FUNCTION harness.name_of(p_id text) RETURNS text LANGUAGE sql STABLE AS $$\n"
        "  SELECT coalesce((SELECT name FROM harness.name WHERE id = p_id), p_id)\n$$;"
    )
    return table.as_string() + fill.as_string() + function


def session_settings(script: Script, session: str) -> Iterator[str]:
    """What a session says before it acts, as a superuser: who finds a deadlock, plans as on large tables, its level."""
    if script.victims():
        timeout = "500ms" if session in script.victims() else "100s"
        yield sql.SQL("SET deadlock_timeout TO {}").format(sql.Literal(timeout)).as_string()
    yield from STEADY_PLANS
    yield sql.SQL("SET default_transaction_isolation TO {}").format(sql.Literal(script.isolation)).as_string()
    if script.role:
        yield sql.SQL("SET ROLE {}").format(sql.Identifier(script.role)).as_string()


def own(name: str) -> str:
    """The text of a file of this package."""
    return resources.files("harness.export").joinpath(name).read_text(encoding="utf-8").strip()


MARK = "made by a run that was exported from the harness"
"""The comment on a role that is dropped in the end."""


def _roles(names: Iterable[str]) -> str:
    lines = []
    for name in names:
        made = sql.SQL(
            "IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {0}) THEN "
            "CREATE ROLE {1} NOLOGIN; COMMENT ON ROLE {1} IS {2}; END IF;"
        ).format(sql.Literal(name), sql.Identifier(name), sql.Literal(MARK))
        lines.append(f"  {made.as_string()}")
    return "\n".join(["DO $roles$ BEGIN", *lines, "END $roles$;"])


def drop_roles(names: Iterable[str]) -> str:
    """SQL that drops those of the roles that an export made, unless another database still speaks of them."""
    lines = []
    for name in names:
        dropped = sql.SQL(
            "IF EXISTS (SELECT FROM pg_roles WHERE rolname = {0} AND shobj_description(oid, 'pg_authid') = {2}) THEN "
            "BEGIN DROP OWNED BY {1}; DROP ROLE {1}; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END; "
            "END IF;"
        ).format(sql.Literal(name), sql.Identifier(name), sql.Literal(MARK))
        lines.append(f"  {dropped.as_string()}")
    return "\n".join(["DO $roles$ BEGIN", *lines, "END $roles$;"])
