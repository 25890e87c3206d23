"""Which functions and operations a change has touched, from the reference's own files."""

from __future__ import annotations

import pytest

from harness.gate.touched import Touched, touched_by
from harness.marketplace.scenario import load_scenarios
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


def touched(*texts: str) -> Touched:
    places = [line_of(text) for text in texts]
    changed = [
        {"file": f"sql/{file}", "lines": [number for name, number in places if name == file], "diff": ""}
        for file in {name for name, _ in places}
    ]
    return touched_by(changed, REFERENCE.calls, REFERENCE.migrations)


TOP_UP = "SELECT * INTO top_up FROM credit_purchases AS c"


def test_a_function_that_two_operations_call() -> None:
    assert touched(TOP_UP) == Touched(("complete_credit_top_up",), ("deliver", "top_up"), only=True)


def test_what_calls_a_function_that_calls_it_is_touched_as_well() -> None:
    found = touched("PERFORM FROM leads WHERE id = ANY (p_lead_ids) ORDER BY id")
    assert found.functions == ("lock_leads",)
    assert {"validate", "complete_credit", "complete_stripe", "mark_sold", "buy"} <= set(found.operations)
    assert "top_up" not in found.operations


def test_it_concerns_the_scenarios_in_which_one_of_them_is() -> None:
    scenarios = load_scenarios(bundled("scenarios"))
    found = {name for name, scenario in scenarios.items() if touched(TOP_UP).concerns(scenario)}
    assert {"top-up-delivered-twice", "top-up-against-purchase"} <= found
    assert "two-buyers-one-lead" not in found
    assert not any(map(Touched().concerns, scenarios.values()))


@pytest.mark.parametrize("text", ["CREATE TABLE leads", "GRANT EXECUTE ON FUNCTION complete_credit_top_up"])
def test_what_is_in_no_function_may_concern_them_all(text: str) -> None:
    assert touched(text) == Touched()
    assert touched(text, TOP_UP) == Touched(("complete_credit_top_up",), ("deliver", "top_up"), only=False)


def test_a_comment_between_functions_concerns_nobody() -> None:
    comment = "-- May this workspace buy these leads? All or nothing."
    assert not touched(comment).functions
    assert touched(comment, TOP_UP).only


@pytest.mark.parametrize("lines", [[], [1]])
def test_a_file_that_is_no_migration_may_concern_them_all(lines: list[int]) -> None:
    changed = [{"file": "new.toml", "lines": lines, "diff": ""}]
    assert touched_by(changed, REFERENCE.calls, REFERENCE.migrations) == Touched()
