"""The specification runs under PostgreSQL's own isolationtester and shows what was recorded."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.export.script import Script
from harness.export.spec import Spec, spec_of
from harness.export.tester import printed, run_spec
from harness.words.errors import CouldNotRun


def isolationtester() -> str:
    """The program: named by ISOLATIONTESTER, on the path, or where Debian has it; the test is skipped without."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/lib/pgxs/src/test/isolation/isolationtester"))
    found = os.environ.get("ISOLATIONTESTER") or shutil.which("isolationtester") or next(map(str, installed[::-1]), "")
    if not found:
        pytest.skip("NOT RUN: no isolationtester (in Debian's postgresql-server-dev-15)")
    return found


def run_by_isolationtester(program: str, dsn: str, spec: Spec) -> str:
    done = subprocess.run([program, dsn], input=spec.text, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def own_things(dsn: str) -> list[tuple[str]]:
    """Names of what is in the database that is not PostgreSQL's."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT relname FROM pg_class WHERE oid >= 16384 UNION ALL SELECT proname FROM pg_proc WHERE oid >= 16384"
            " UNION ALL SELECT nspname FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_' UNION ALL"
            " SELECT typname FROM pg_type WHERE oid >= 16384"
        ).fetchall()


def test_isolationtester_writes_what_was_expected_and_the_lead_is_sold_twice(
    server: AnyServer, double_sale_script: Script
) -> None:
    spec = spec_of(double_sale_script, "double-sale")
    with server.database() as dsn:
        expected = run_spec(dsn, spec)
        assert own_things(dsn) == []
        assert "step check_leads:" in expected
        assert "L1|sold  |         2" in expected
        assert "<waiting ...>" in expected
        program = isolationtester()
        for _ in range(2):
            assert run_by_isolationtester(program, dsn, spec) == expected
            assert own_things(dsn) == []


def test_the_victim_of_the_deadlock_is_the_recorded_one(server: AnyServer, deadlock_script: Script) -> None:
    spec = spec_of(deadlock_script, "deadlock")
    with server.database() as dsn:
        expected = run_spec(dsn, spec)
        assert expected.count("ERROR:  deadlock detected") == 1
        assert run_by_isolationtester(isolationtester(), dsn, spec) == expected


def test_a_permutation_is_the_recorded_interleaving(double_sale_script: Script) -> None:
    spec = spec_of(double_sale_script, "double-sale")
    numbers = [step.partition("_")[0] for owner, step in spec.permutation if owner != "check"]
    assert numbers == [f"s{step.number}" for step in double_sale_script.steps]
    # A step that comes into a function has its name, whatever else its statement calls.
    validating = [step for _, step in spec.permutation if "validate_and_lock_leads_for_purchase" in step]
    assert [step.partition("_")[2] for step in validating] == [
        f"{session}_validate_and_lock_leads_for_purchase" for session in ("alice", "bob")
    ]
    assert "}" not in "".join(text for session in spec.sessions for text in session.steps.values())
    assert spec.text.count("}") == len(spec.setups) + 1 + sum(
        bool(each.setup) + len(each.steps) for each in spec.sessions
    )


def test_an_export_that_does_something_else_is_not_given_out(server: AnyServer, double_sale_script: Script) -> None:
    steps = [
        replace(
            step,
            sends=tuple(replace(s, text=re.sub(r"\b10(\.0+)?::numeric", "7::numeric", s.text)) for s in step.sends),
        )
        for step in double_sale_script.steps
    ]
    other = spec_of(replace(double_sale_script, steps=tuple(steps)), "double-sale")
    with server.database() as dsn, pytest.raises(CouldNotRun, match="export-differs"):
        run_spec(dsn, other)


def test_a_database_with_something_in_it_is_left_alone(server: AnyServer, double_sale_script: Script) -> None:
    with server.database() as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE precious ()")
        with pytest.raises(CouldNotRun, match="not empty"):
            run_spec(dsn, spec_of(double_sale_script, "double-sale"))
        assert ("precious",) in own_things(dsn)


def test_results_are_printed_as_libpq_prints_them() -> None:
    assert printed([b"n", b"t", b"void"], [[b"1", b"x1", b""], [b"-20", None, None]]) == (
        "  n|t |void\n---+--+----\n  1|x1|    \n-20|  |    \n(2 rows)\n\n"
    )
