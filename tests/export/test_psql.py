"""The scripts run with psql alone, hand the baton to one another, and end the same way twice."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.binaries import choose_binaries
from harness.export.psql import psql_files
from harness.export.script import Script


def psql() -> str:
    """The psql of the PostgreSQL that is installed with the tests."""
    program = choose_binaries("auto").directory / "psql"
    if program.exists():
        return str(program)
    pytest.skip("NOT RUN: there is no psql")


def run(directory: Path, server: AnyServer, files: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """``run.sh`` among these files."""
    for name, text in files.items():
        (directory / name).write_text(text)
    for name in ("run.sh", "turn.sh"):
        (directory / name).chmod(0o755)
    environment = {**os.environ, "PSQL": psql()}
    command = [str(directory / "run.sh"), server.dsn()]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)


def databases(server: AnyServer) -> set[str]:
    with psycopg.connect(server.dsn()) as connection:
        return {
            name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datname ~ '^harness_run_'")
        }


def test_the_double_sale_comes_again_and_again(server: AnyServer, double_sale_script: Script, tmp_path: Path) -> None:
    files = psql_files(double_sale_script)
    for _ in range(2):
        done = run(tmp_path, server, files)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "L1 | sold   | 2" in done.stdout
        assert "The end is the recorded one." in done.stdout
        assert "sold-once is violated: lead L1 was sold to p and q: sold_count 2" in done.stdout
    assert databases(server) == set()


def test_the_deadlock_comes_with_its_victim(server: AnyServer, deadlock_script: Script, tmp_path: Path) -> None:
    files = psql_files(deadlock_script)
    done = run(tmp_path, server, files)
    assert done.returncode == 0, done.stdout + done.stderr
    for text in (files["README.md"], done.stdout):
        assert re.search(r"session \d", text) is None
        assert "session stripe and session credits waited for each other" in text
    assert re.findall(r"^(\w+) \| .*deadlock detected$", done.stdout, re.MULTILINE) == list(deadlock_script.victims())


def test_with_other_functions_it_ends_and_says_so(
    server: AnyServer, double_sale_script: Script, tmp_path: Path
) -> None:
    files = psql_files(double_sale_script)
    inside = next(step for step in double_sale_script.steps if step.inside)
    assert inside.place is not None
    changed = files["setup.sql"].replace(f"IF harness.point({inside.place.point}) THEN END IF; ", "")
    assert changed != files["setup.sql"]
    done = run(tmp_path, server, files | {"setup.sql": changed})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "The functions are not those that were recorded" in done.stdout
    assert databases(server) == set()


def test_a_script_reads_like_the_run(double_sale_script: Script) -> None:
    alice = psql_files(double_sale_script)["alice.sql"]
    first, *_ = (step for step in double_sale_script.steps if step.session == "alice")
    assert first.place is not None
    assert (
        f"-- step 0: Buy A L1 p\nCALL harness.turn(1, 0);\n{first.sends[0].text};\n--   it begins at line 7:" in alice
    )
    for step in double_sale_script.of("alice"):
        assert f"step {step.number}" in alice
