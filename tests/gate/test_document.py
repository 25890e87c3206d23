"""The verdict of a gate is that of its gravest part; what did not run is no pass; shards are merged part by part."""

from __future__ import annotations

from typing import Any

import pytest

from harness.gate.merge import merged
from harness.gate.part import COMPARE, FAULTS, LOAD, VERIFY, Part
from harness.report.gate import gate_junit, headline, render_gate, without_run
from harness.report.html import html
from harness.verify.shards import Shard
from harness.words.errors import UsageError
from tests.gate.made import failed, gate_of, left, ran, suite, verified
from tests.report.schemas import stamped, validator

SCHEMA = validator("gate")


def compared(verdict: str, code: int) -> Part:
    return ran(COMPARE, {"format": "harness-compare", "version": 1, "verdict": verdict, "exit_code": code})


CASES: dict[str, tuple[list[Part], str, int]] = {
    "all holds": ([suite(), verified("holds")], "holds", 0),
    "tests fail": ([suite(1, "E assert 1 == 2", "1 failed"), verified("holds")], "violated", 1),
    "something breaks": ([suite(), verified("violated_two"), failed(LOAD)], "violated", 1),
    "something could not run": ([verified("holds"), failed(LOAD)], "could_not_run", 3),
    "what could not run goes before what is slower": ([compared("slower", 4), failed(LOAD)], "could_not_run", 3),
    "slower goes before not exercised": ([compared("slower", 4), verified("not_exercised")], "slower", 4),
    "not exercised": ([suite(5, "no tests ran"), verified("holds")], "not_exercised", 5),
    "a hang": ([verified("hang")], "could_not_run", 3),
    "nothing ran": ([], "not_exercised", 5),
}


@pytest.mark.parametrize("case", CASES)
def test_the_gravest_part_says_how_it_ends(case: str) -> None:
    parts, verdict, code = CASES[case]
    document = gate_of(*parts)
    assert (document["verdict"], document["exit_code"]) == (verdict, code)
    SCHEMA.validate(stamped(document))


@pytest.mark.parametrize("case", [case for case in CASES if "slower" not in case])
def test_every_view_says_it(case: str) -> None:
    parts, verdict, code = CASES[case]
    document = stamped(gate_of(*parts))
    text = render_gate(document, ascii_only=True)
    assert text.startswith(headline(document).partition(" (")[0])
    assert "--without faults" in text
    page = html(document)
    assert verdict == "holds" or "does not pass the gate" in page
    report = gate_junit(document)
    assert ("<failure" in report or "<error" in report) is bool(code)


def test_a_part_that_is_left_out_is_no_pass() -> None:
    document = gate_of(suite(), verified("holds"))
    (left_out,) = [each for each in document["parts"] if each["part"] == LOAD]
    assert (left_out["status"], left_out["verdict"], left_out["exit_code"]) == ("left_out", None, None)
    assert "left out" in render_gate(document)
    assert '<skipped message="--without load"' in gate_junit(document)


def test_what_the_tests_said_is_shown_when_they_fail() -> None:
    document = gate_of(suite(1, "E assert 1 == 2", "== 1 failed in 0.1s =="))
    for text in (render_gate(document), gate_junit(document), html(stamped(document))):
        assert "E assert 1 == 2" in text
    assert "pytest -q ended with 1: 1 failed in 0.1s" in render_gate(document)


def test_a_broken_part_says_what_to_look_at() -> None:
    text = render_gate(gate_of(verified("violated_two")))
    assert "harness replay" in text
    assert "3.0\xa0s of 2.0\xa0s" in text or "3.0 s of 2.0 s" in text


def test_what_has_no_run_is_told_all_the_same() -> None:
    text = render_gate(gate_of(verified("not_exercised")))
    assert "verify, without a run" in text
    assert "NOT EXERCISED" in text


def test_of_many_scenarios_that_saw_nothing_the_first_are_named() -> None:
    part_of_it = verified("not_exercised")
    assert part_of_it.document is not None
    unseen = [f"case-{number} never saw busy" for number in range(9)]
    red = next(each for each in part_of_it.document["properties"] if each["verdict"] == "not_exercised")
    red["why"] = "; ".join(unseen)
    told = without_run(part_of_it.document)
    assert any(each.endswith(f"{'; '.join(unseen[:3])}; and 6 more") for each in told)
    red["verdict"] = "violated"
    assert any(each.endswith("; ".join(unseen)) for each in without_run(part_of_it.document))


# -- shards ----------------------------------------------------------------------------------------------------------


def shards(*verifications: Part) -> list[dict[str, Any]]:
    of = len(verifications)
    first = gate_of(suite(), verifications[0], failed(LOAD), shard=Shard(1, of))
    others = [
        gate_of(*[left(name, "shard 1 does it") for name in ("tests", LOAD)], each, shard=Shard(number, of))
        for number, each in enumerate(verifications[1:], start=2)
    ]
    return [*others, first]


def part(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in document["parts"] if each["part"] == name]
    return dict(found)


def test_what_the_first_shard_does_alone_is_taken_from_it() -> None:
    whole = merged(shards(left(VERIFY), left(VERIFY)))
    SCHEMA.validate(stamped(whole))
    assert part(whole, "tests")["verdict"] == "holds"
    assert (part(whole, LOAD)["status"], whole["exit_code"]) == ("not_run", 3)
    assert "shard" not in whole


def test_a_part_that_one_shard_could_not_run_did_not_run() -> None:
    whole = merged(shards(left(FAULTS), failed(VERIFY, "no server [no-postgresql]")))
    assert part(whole, VERIFY)["why"] == "no server [no-postgresql]"
    assert whole["verdict"] == "could_not_run"


def test_what_is_broken_in_another_shard_than_the_first_is_explained() -> None:
    whole = merged(shards(failed(VERIFY, "no server [no-postgresql]"), verified("violated_two")))
    assert part(whole, VERIFY)["verdict"] == "violated"
    assert whole["meanings"] == {"sold-once": "a lead is sold once"}
    assert whole["theories"] == {"two-buyers-one-lead": "Both could get it."}
    SCHEMA.validate(stamped(whole))


def test_shards_of_other_commits_are_not_merged() -> None:
    first, second = shards(left(VERIFY), left(VERIFY))
    with pytest.raises(UsageError, match="they differ in the base"):
        merged([{**first, "base": "f" * 40}, second])
    with pytest.raises(UsageError, match="shard 2/2 is missing"):
        merged([second])


def test_a_shard_that_breaks_nothing_does_not_say_that_all_holds() -> None:
    document = gate_of(suite(), shard=Shard(1, 2))
    assert (document["verdict"], document["exit_code"]) == ("unbroken", 0)
    assert headline(document).startswith("UNBROKEN: shard 1/2 of published")
    SCHEMA.validate(stamped(document))
