"""docs/planted.md has every planted fault, in the words of its file."""

from __future__ import annotations

from pathlib import Path

from harness.marketplace.planted import Fault, fault_files, read_fault
from harness.resources import bundled

PAGE = Path(__file__).parents[2] / "docs" / "planted.md"
FAULTS = [read_fault(path) for path in fault_files(bundled("sql"))]


def row(fault: Fault) -> str:
    """A fault's line of the table."""
    if shown := fault.shown:
        operations = f"{shown.operations} operation{'s' * (shown.operations != 1)}"
        preemptions = f"{shown.preemptions} preemption{'s' * (shown.preemptions != 1)}"
        where = f"`{shown.property}` in `{shown.file}.py` within {shown.schedules_max} schedules"
        found = f"{where}: {operations}, {preemptions}"
    else:
        found = "in the catalog"
    breaks = ", ".join(f"`{each}`" for each in fault.breaks)
    return f"| [`{fault.name}`](../sql/planted/{fault.path.name}) | {fault.wrong} *{fault.why}* | {breaks} | {found} |"


def test_the_table_is_that_of_the_files() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| [`")]
    assert rows == [row(fault) for fault in FAULTS]


def test_the_number_is_right() -> None:
    assert f"{len(FAULTS)} faults" in PAGE.read_text(encoding="utf-8")
