"""``harness export``: what it writes where, and what it refuses."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness import doors
from harness.db.any_server import AnyServer
from harness.interleave.exploration import SUBJECT
from harness.words.errors import UsageError
from harness.words.recording import Recording

pytestmark = pytest.mark.usefixtures("unpinned")


def export(file: Path, form: str, out: Path, server: AnyServer) -> int:
    return doors.export(file, form=form, out=out, subject_name=None, scenario_files=None, database=server.dsn())


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("spec", {"specs/double-sale.spec", "expected/double-sale.out"}),
        (
            "psql",
            {
                "double-sale/README.md",
                "double-sale/alice.sql",
                "double-sale/bob.sql",
                "double-sale/check.sql",
                "double-sale/run.sh",
                "double-sale/setup.sql",
                "double-sale/teardown.sql",
                "double-sale/turn.sh",
            },
        ),
        ("pytest", {"test_double_sale.py"}),
    ],
)
def test_files_are_written_and_told(
    form: str,
    written: set[str],
    server: AnyServer,
    double_sale_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert export(double_sale_file, form, tmp_path, server) == 0
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == written
    told = capsys.readouterr().out
    assert all(f"wrote {tmp_path / name}" in told for name in written)
    assert all(os.access(path, os.X_OK) for path in tmp_path.rglob("*.sh"))


def test_a_fault_is_not_exported(server: AnyServer, double_sale: Recording, tmp_path: Path) -> None:
    written = {
        "name": "struck",
        "theory": "x",
        "start": {"workspaces": {"A": "5"}, "leads": {}, "purchases": {}, "top_ups": {}},
        "sessions": {"a": [["MarkSold", []]], "n": {"strikes": "a", "fault": "cancel", "sqlstate": ""}},
        "properties": [double_sale.property],
        "happened": ["ok"],
        "exercises": {},
        "isolation": None,
        "prologue": [],
    }
    file = tmp_path / "struck.json"
    file.write_text(replace(double_sale, scenario="struck", scenario_digest="b3f2e7f1d5a0", written=written).to_json())
    with pytest.raises(UsageError, match="other-version") as refused:
        export(file, "spec", tmp_path, server)
    digest = refused.value.seen.rpartition("not ")[2].rstrip(")")
    file.write_text(replace(double_sale, scenario="struck", scenario_digest=digest, written=written).to_json())
    for form in ("spec", "psql"):
        with pytest.raises(UsageError, match=r"a fault \(cancel\) strikes a;.*fault-not-exported"):
            export(file, form, tmp_path, server)
    assert export(file, "pytest", tmp_path, server) == 0


def test_a_schedule_of_a_test_is_for_pytest(server: AnyServer, double_sale: Recording, tmp_path: Path) -> None:
    file = tmp_path / "of-a-test.json"
    file.write_text(replace(double_sale, subject=SUBJECT, scenario="test_a.py::test_b").to_json())
    with pytest.raises(UsageError, match="schedule-of-a-test"):
        export(file, "psql", tmp_path, server)
