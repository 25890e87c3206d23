"""What a step made its session see, of what the points have told."""

from __future__ import annotations

import json
from typing import Any

from harness.db.plan import Plan, Point, Variable
from harness.db.session import Told
from harness.marketplace.names import Names
from harness.marketplace.start import LeadStart, Start
from harness.verify.sightings import LENGTH_MAX, Sighting, saw, shown

FOUND, LEAD, INNER, OUTER = Variable("found", -1), Variable("v_lead", 8), Variable("v", 90), Variable("v", 20)


def point(number: int, function: str, kind: str, *variables: Variable) -> Point:
    return Point(number, "public", function, number, kind, "...", False, variables)


PLAN = Plan(
    (
        point(1, "buy()", "sql", FOUND, LEAD),
        point(2, "buy()", "sql", FOUND, LEAD, OUTER),
        point(3, "buy()", "return", FOUND, LEAD, INNER),
        point(4, "check()", "sql", OUTER),
        point(5, "check()", "return", OUTER),
    ),
    (),
    (),
    (),
)


def names() -> Names:
    return Names("uuid", Start({}, {"L1": LeadStart()}), ["p"])


def news(*told: tuple[int, int, int, list[Any]], calls: tuple[int, ...] = (0,)) -> dict[int, list[tuple[str, str]]]:
    """Of (step, point, depth, values): what is new in each step of one session; it calls at the steps ``calls``."""
    steps = [{"step": n, "session": "a", "where": "buy():1", **({"sent": "x"} if n in calls else {})} for n in range(9)]
    sightings = [Sighting(step, 0, Told(number, depth, json.dumps(values))) for step, number, depth, values in told]
    found = saw(steps, sightings, PLAN, names())
    return {step: [(each["name"], each["value"]) for each in seen] for step, seen in found.items()}


def test_what_a_function_is_entered_with_is_no_news_and_what_changes_in_it_is() -> None:
    lead = str(names().id_of("lead", "L1"))
    assert news((0, 1, 1, [False, None]), (0, 2, 1, [True, lead, None]), (1, 3, 1, [True, lead, None])) == {
        0: [("FOUND", "true"), ("v_lead", "lead L1")]
    }


def test_a_variable_of_the_same_name_in_an_inner_block_is_another_one() -> None:
    assert news((0, 2, 1, [True, None, "1"]), (1, 3, 1, [True, None, "1"])) == {1: [("v", "1")]}
    assert news((0, 2, 1, [True, None, "1"]), (1, 3, 1, [True, None, None])) == {}


def test_each_call_of_a_function_begins_anew() -> None:
    entered, ended = (1, 4, 2, ["1"]), (1, 5, 2, ["2"])
    # Twice in one statement of its caller; once more, after a point of the caller; in another statement of the client.
    assert news((0, 1, 1, [False, None]), entered, ended, (2, 4, 2, ["7"])) == {1: [("v", "2")]}
    assert news(entered, (2, 1, 1, [False, None]), (3, 4, 2, ["7"])) == {}
    assert news(entered, (2, 4, 2, ["7"]), calls=(0, 2)) == {}
    # It calls itself.
    assert news((0, 4, 1, ["1"]), (1, 4, 2, ["2"]), (2, 5, 2, ["3"]), (3, 5, 1, ["1"])) == {2: [("v", "3")]}


def test_values_are_told_in_the_words_of_the_scenario_and_are_the_same_in_every_run() -> None:
    lead, other = str(names().id_of("lead", "L1")), "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
    row = {"id": lead, "sold_at": "2026-02-05T10:00:00.123+00:00", "note": None, "by": [other, True]}
    assert shown(row, names(), "v_row") == "id lead L1, sold_at a time, by [an id, true]"
    values = (None, "", "50.00", {"a": None})
    assert [shown(value, names(), "v") for value in values] == ["null", "''", "50.00", "null"]
    assert shown("x" * 300, names(), "v") == "x" * (LENGTH_MAX - 1) + "…"
    text = f'{{"lead": "{lead}", "sale": "{other}", "day": "2026-02-05", "at": "2026-02-05T10:00:00.1Z"}}'
    assert shown(text, names(), "v") == '{"lead": "lead L1", "sale": "an id", "day": "a time", "at": "a time"}'
    times = ("2026-02-05", "10:00:00.5+01", "00:00:00.123", "2026-02-05 10:00:00+00")
    assert {shown(value, names(), "v") for value in times} == {"a time"}


def test_a_secret_is_not_told() -> None:
    assert shown("x9", names(), "v_api_token") == "..."
    assert shown({"id": "7", "token_hash": "x9", "password": None}, names(), "v_row") == "id 7, token_hash ..."
    assert shown([{"secret": "x9"}], names(), "v_rows") == "[secret ...]"
    assert shown("host postgresql://u:p@h/d api_key=x9", names(), "v") == "host ... api_key=..."
    assert shown(None, names(), "v_token") == "null"
