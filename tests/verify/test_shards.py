"""The parts of a verification are the whole: the same schedules, none twice, none left out, and the same document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.db.any_server import AnyServer
from harness.marketplace.scenario import Scenario, load_scenarios
from harness.marketplace.subject import load_subject
from harness.options import part
from harness.report.terminal import render
from harness.resources import bundled
from harness.verify.merge import merged
from harness.verify.orders import Limits
from harness.verify.run import Options, chosen, verify
from harness.verify.shards import Shard, dealt
from harness.words.errors import UsageError
from tests.made_once import made_once
from tests.report.schemas import stamped, validator
from tests.verify import stall
from tests.verify.test_same_seed import the_same

Document = dict[str, Any]
VERIFY = validator("verify")

SCENARIOS = load_scenarios(bundled("scenarios"))
FEW = (
    "two-buyers-one-lead",
    "contract-repeated-completion",
    "two-top-ups-at-once",
    "webhook-cancelled-and-redelivered",
    "same-purchase-completed-twice-at-once",
    "contract-unknown-purchase",
)
"""Of the published subject: what it breaks in several scenarios, what it keeps, what it cannot play."""


def options(directory: Path, **parts: Any) -> Options:
    plain = Options(
        subject=load_subject("published", bundled("sql")),
        scenarios=[SCENARIOS[name] for name in FEW],
        limits=Limits(schedules=32),
        schedule_files=directory,
        pinned=False,
        replays=2,
    )
    return replace(plain, **parts)


@pytest.fixture(scope="module")
def whole_and_parts(server: AnyServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Document, list[Document]]:
    directory = tmp_path_factory.mktemp("schedules")

    def run(shard: Shard | None) -> Document:
        return verify(server, options(directory, shard=shard), lambda *_: None, lambda: None)

    shards = (None, *(Shard(index, 3) for index in (3, 1, 2)))
    whole, *parts = made_once(tmp_path_factory, "verify-shards", lambda: [run(shard) for shard in shards])
    return whole, parts


def test_the_parts_together_are_the_whole(whole_and_parts: tuple[Document, list[Document]]) -> None:
    whole, parts = whole_and_parts
    assert the_same(merged(parts)) == the_same(whole)
    assert whole["verdict"] == "violated"
    assert {each["name"]: each["digest"] for part in parts for each in part["scenarios"]} == {
        each["name"]: each["digest"] for each in whole["scenarios"]
    }
    assert sum(part["schedules"] for part in parts) == whole["schedules"]
    covered = [part["coverage"]["sql"]["statements_covered"] for part in parts]
    assert max(covered) < whole["coverage"]["sql"]["statements_covered"]


def test_a_part_says_which_it_is_and_no_more_than_it_knows(
    whole_and_parts: tuple[Document, list[Document]],
) -> None:
    _, parts = whole_and_parts
    for document in parts:
        VERIFY.validate(stamped(document))
        assert document["verdict"] in ("violated", "unbroken")
        assert f"(shard {document['shard']['index']}/3)" in render(document)
    judges = {each["id"]: document["shard"]["index"] for document in parts for each in document["properties"]}
    assert judges["only-service-role"] == 1


def unbroken(document: Document) -> Document:
    """A part that found nothing, and that does not exercise everything, whatever it did."""
    kept = [{**each, "verdict": "not_exercised", "why": "nothing happened"} for each in document["properties"]]
    kept = [{**each, "counterexample": None, "violating_schedules": 0} for each in kept]
    return {**document, "properties": kept, "verdict": "unbroken", "exit_code": 0}


def test_what_no_part_exercised_the_whole_does_not_hold(whole_and_parts: tuple[Document, list[Document]]) -> None:
    parts = [unbroken(each) for each in whole_and_parts[1]]
    VERIFY.validate(stamped(parts[0]))
    assert "UNBROKEN: shard 3/3 of published breaks nothing" in render(parts[0])
    assert "harness report --merge" in render(parts[0])
    whole = merged(parts)
    VERIFY.validate(stamped(whole))
    assert (whole["verdict"], whole["exit_code"]) == ("not_exercised", 5)


def test_one_interrupted_part_interrupts_the_whole(whole_and_parts: tuple[Document, list[Document]]) -> None:
    first, *others = whole_and_parts[1]
    assert merged([{**first, "interrupted": True}, *others])["interrupted"]


def altered(document: Document, path: tuple[str, ...], value: Any) -> Document:
    name, *rest = path
    return {**document, name: altered(document[name], tuple(rest), value) if rest else value}


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("seed",), 7, "they differ in the seed"),
        (("limits",), {"seconds": None, "schedules": 31}, "they differ in the limits"),
        (("strict",), True, "they differ in --strict"),
        (("subject", "digest"), "0" * 12, "they differ in the subject"),
        (("server", "version"), "17.10", "they differ in the version of PostgreSQL"),
        (("run",), {"harness": "0.0.1"}, "they differ in the version of the harness"),
        (("shard", "scenarios"), ["others"], "they differ in the scenarios"),
        (("shard", "isolation"), "serializable", "they differ in the isolation"),
        (("shard", "of"), 4, "they differ in the number of shards"),
    ],
)
def test_parts_of_different_runs_are_not_merged(
    whole_and_parts: tuple[Document, list[Document]], path: tuple[str, ...], value: Any, told: str
) -> None:
    first, *others = whole_and_parts[1]
    with pytest.raises(UsageError, match=told) as refused:
        merged([altered(first, path, value), *others])
    assert refused.value.slug == "other-shards"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda parts: parts[:2], "shard 2/3 is missing"),
        (lambda parts: [*parts, parts[0]], "shard 3/3 is there twice"),
        (lambda parts: [parts[1], parts[1]], "shard 2/3 is missing, 3/3 is missing, 1/3 is there twice"),
        (lambda _: [], "nothing to merge"),
        (lambda parts: [*parts, {"format": "harness-load"}], r"is no shard \(harness-load\)"),
    ],
)
def test_each_part_must_be_there_once(
    whole_and_parts: tuple[Document, list[Document]], given: Callable[[list[Document]], list[Document]], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        merged(given(whole_and_parts[1]))


# -- who gets what ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
@pytest.mark.parametrize("total", [None, 1000])
def test_every_scenario_is_in_one_part_with_the_quota_of_the_whole(
    shards: int, total: int | None, tmp_path: Path
) -> None:
    everything = options(tmp_path, limits=Limits(schedules=total))
    scenarios = list(SCENARIOS.values())
    parts = [chosen(replace(everything, shard=Shard(index, shards)), scenarios) for index in range(1, shards + 1)]
    together = {scenario.name: quota for part in parts for scenario, quota in part}
    assert sum(map(len, parts)) == len(together)
    assert together == {scenario.name: quota for scenario, quota in chosen(everything, scenarios)}


def test_parts_cost_about_the_same() -> None:
    race = stall.scenario("race")
    alone = {"alice": race.sessions["alice"] if "alice" in race.sessions else next(iter(race.sessions.values()))}

    def named(number: int, **parts: Any) -> tuple[Scenario, int]:
        return replace(race, name=f"race-{number}", **parts), 100

    cheap = [named(number, sessions=alone) for number in range(6)]
    dear = [named(number) for number in range(6, 12)]
    parts = [[each for group in part for each in group] for part in dealt([[each] for each in [*cheap, *dear]], 3)]
    assert [sum(len(scenario.sessions) > 1 for scenario, _ in part) for part in parts] == [2, 2, 2]
    assert [len(part) for part in parts] == [4, 4, 4]
    assert all(first.name < second.name for part in parts for (first, _), (second, _) in pairwise(part[:2]))


def test_what_must_stay_together_does() -> None:
    race = stall.scenario("race")
    groups = [[(replace(race, name=f"{group}-{number}"), 5) for number in range(3)] for group in "abcd"]
    assert dealt(groups, 2) == [[groups[0], groups[2]], [groups[1], groups[3]]]


def test_a_part_without_anything_is_refused(tmp_path: Path) -> None:
    few = options(tmp_path, shard=Shard(7, 7))
    with pytest.raises(UsageError, match=r"6 scenarios out to 7 shards.*\[too-many-shards\]"):
        chosen(few, few.scenarios)


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "1/0", "a/b", "-1/3", "1/3/5", ""])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no part of a whole"):
        part(text)


def test_a_part_is_written_as_a_fraction() -> None:
    assert (part("2/3"), str(Shard(2, 3)), part(None)) == (Shard(2, 3), "2/3", None)
