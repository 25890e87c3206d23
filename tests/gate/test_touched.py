"""Which operations a change can have made slower, from the reference's own files."""

from __future__ import annotations

import pytest

from harness.gate.touched import touched_operations
from harness.marketplace.subject import load_subject
from harness.resources import bundled

REFERENCE = load_subject("reference", bundled("sql"))


def line_of(text: str) -> tuple[str, int]:
    """The file and the line that has a text, which one alone has."""
    ((name, number),) = [
        (path.name, number)
        for path in REFERENCE.migrations
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if text in line
    ]
    return name, number


def operations(*texts: str) -> tuple[str, ...]:
    places = [line_of(text) for text in texts]
    changed = [
        {"file": f"sql/{file}", "lines": [number for name, number in places if name == file], "diff": ""}
        for file in {name for name, _ in places}
    ]
    return touched_operations(REFERENCE.calls, REFERENCE.migrations, changed)


def test_a_function_that_two_operations_call() -> None:
    assert operations("SELECT * INTO top_up FROM credit_purchases AS c") == ("deliver", "top_up")


def test_what_calls_a_function_that_calls_it_is_touched_as_well() -> None:
    found = operations("PERFORM FROM leads WHERE id = ANY (p_lead_ids) ORDER BY id")
    assert {"validate", "complete_credit", "complete_stripe", "mark_sold", "buy"} <= set(found)
    assert "top_up" not in found


@pytest.mark.parametrize("text", ["CREATE TABLE leads", "GRANT EXECUTE ON FUNCTION complete_credit_top_up"])
def test_what_is_in_no_function_may_concern_them_all(text: str) -> None:
    assert operations(text) == ()
    assert operations(text, "SELECT * INTO top_up FROM credit_purchases AS c") == ()


def test_a_new_file_may_concern_them_all() -> None:
    assert (
        touched_operations(REFERENCE.calls, REFERENCE.migrations, [{"file": "new.sql", "lines": [], "diff": ""}]) == ()
    )
