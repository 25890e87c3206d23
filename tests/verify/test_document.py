"""From the campaigns' reports to the run document: the verdict on each property, and what is shown and saved of it."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.verify.certificate import Explored
from harness.verify.document import judge_property, property_entry, smallest, subject_entry, verify_document
from harness.verify.orders import Counterexample, Limits, ScenarioReport
from harness.verify.run import Options, _shares, chosen, playable
from harness.words.errors import UsageError
from harness.words.recording import Recording
from harness.words.schedule import Decision
from harness.words.verdict import Certificate, Verdict
from tests.verify import stall

SOLD = "sold-once"


def report(name: str = "race", **parts: Any) -> ScenarioReport:
    """A campaign of twenty schedules that exercised ``sold-once`` and broke nothing, but for ``parts``."""
    plain = ScenarioReport(
        name=name,
        isolation="read committed",
        strategy="mixture",
        explored=Explored(Certificate.EXHAUSTED),
        schedules=20,
        distinct=18,
        steps=200,
        steps_median=10,
        distinct_outcomes=3,
        unseen_outcomes=0.0,
        opaque=(),
        seconds=0.5,
        digest="0123456789abcdef",
        labels={"ok": 20},
        missing={SOLD: ()},
        not_applicable={},
        violating={},
    )
    return replace(plain, **parts)


def counterexample(
    reproduced: int = 10, preemptions: int = 1, steps: int = 9, scenario: str = "race"
) -> Counterexample:
    recording = Recording(
        subject="stall",
        subject_digest="0" * 12,
        scenario=scenario,
        scenario_digest="0" * 12,
        isolation="read committed",
        property=SOLD,
        why="sold twice",
        preemptions=preemptions,
        proved_minimum=True,
        decisions=(Decision((0,), None, 0), *[Decision((0,), 0, 0)] * (steps - 1)),
        events=(),
        outcome="0" * 12,
    )
    guilty = (("lead", "L1"), ("purchase", "p"), ("purchase", "q"))
    return Counterexample(recording, guilty, 3, 0.1, 5, 10, reproduced, {"sessions": [], "steps": []})


def broken(**parts: Any) -> ScenarioReport:
    found = counterexample(**parts)
    return report(found.recording.scenario, violating={SOLD: 4}, counterexamples={SOLD: found})


UNSEEN = report(missing={SOLD: ("wait",)})
ELSEWHERE = report(not_applicable={SOLD: "no leads"})


@pytest.mark.parametrize(
    ("reports", "verdict"),
    [
        ([report()], Verdict.HOLDS),
        ([UNSEEN], Verdict.NOT_EXERCISED),
        ([UNSEEN, report()], Verdict.HOLDS),
        ([report(schedules=0)], Verdict.NOT_EXERCISED),
        ([ELSEWHERE], Verdict.NOT_APPLICABLE),
        ([ELSEWHERE, UNSEEN], Verdict.NOT_EXERCISED),
        ([], Verdict.NOT_APPLICABLE),
        ([report(), broken()], Verdict.VIOLATED),
        ([report(), broken(reproduced=9)], Verdict.NONDETERMINISTIC),
        ([broken(reproduced=9), broken()], Verdict.VIOLATED),
        ([report(), report(diverged="at step 3")], Verdict.NONDETERMINISTIC),
        ([report(), report(hang="session 0")], Verdict.HANG),
        ([report(diverged="at step 3"), report(hang="session 0")], Verdict.NONDETERMINISTIC),
        ([broken(), report(hang="session 0")], Verdict.VIOLATED),
    ],
)
def test_the_verdict_on_a_property(reports: list[ScenarioReport], verdict: Verdict) -> None:
    assert judge_property(SOLD, reports) is verdict


def test_the_counterexample_that_is_shown_replays_and_is_the_smallest() -> None:
    faithful = broken(preemptions=2, steps=20, scenario="long")
    shorter = broken(preemptions=2, steps=12, scenario="short")
    doubtful = broken(reproduced=3, preemptions=0, steps=1)
    shown = smallest(SOLD, [faithful, doubtful, shorter])
    assert shown is not None
    assert shown.recording.scenario == "short"
    assert smallest(SOLD, [report()]) is None


def test_what_is_said_of_a_property(tmp_path: Path) -> None:
    entry = property_entry(SOLD, [report("quiet"), broken(), ELSEWHERE, report("other", missing={})], tmp_path)
    assert (entry["verdict"], entry["schedules"], entry["violating_schedules"]) == ("violated", 40, 4)
    assert entry["scenarios"] == ["quiet", "race"]
    found = entry["counterexample"]
    assert found["guilty"] == {"lead": "L1", "purchase": "p, q"}
    assert Recording.load(Path(found["file"])) == counterexample().recording
    assert property_entry(SOLD, [UNSEEN], tmp_path)["why"] == "race never saw wait"
    assert property_entry(SOLD, [ELSEWHERE], tmp_path)["why"] == "no leads"


def test_the_file_of_a_schedule_has_a_name_for_every_system(tmp_path: Path) -> None:
    found = counterexample()
    odd = replace(found, recording=replace(found.recording, subject="Our shop / v2", scenario='a "b" c'))
    entry = property_entry(SOLD, [report(violating={SOLD: 1}, counterexamples={SOLD: odd})], tmp_path)
    assert Path(entry["counterexample"]["file"]).name == "Our-shop-v2-sold-once-a-b-c.json"


def test_the_whole_document(tmp_path: Path) -> None:
    scenario = stall.scenario("race")
    reports = [report(scenario.name, missing=dict.fromkeys(scenario.properties, ()))]
    document = verify_document(
        subject={"name": "stall", "digest": "0" * 12},
        server={"version": "18.6"},
        seed=3,
        limits={"seconds": None, "schedules": 20},
        strict=True,
        interrupted=False,
        seconds=1.23456,
        reports=reports,
        coverage={"statements": 3},
        skipped={"other": "stall has no call sweep"},
        scenarios=[scenario],
        extra_properties=[],
        schedule_files=tmp_path,
    )
    assert (document["verdict"], document["exit_code"], document["seconds"]) == ("holds", 0, 1.235)
    assert [each["id"] for each in document["properties"]] == list(scenario.properties)
    assert document["skipped"] == [{"name": "other", "why": "stall has no call sweep"}]
    assert document["coverage"] == {"sql": {"statements": 3}}
    assert json.loads(json.dumps(document)) == document
    assert list(tmp_path.iterdir()) == []


def test_only_a_folder_of_ones_own_is_named() -> None:
    assert subject_entry(stall.subject(), 7)["folder"] == str(stall.FOLDER)


# -- who runs what --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 3, 9])
@pytest.mark.parametrize("total", [None, 2, 7, 100])
def test_the_schedules_are_shared_evenly_whoever_runs_them(workers: int, total: int | None, tmp_path: Path) -> None:
    race = stall.scenario("race")
    scenarios = [replace(race, name=f"race-{number}") for number in range(5)]
    options = Options(stall.subject(), scenarios, Limits(schedules=total), tmp_path, workers=workers)
    shares = _shares(chosen(options, scenarios), options.workers)
    assert len(shares) == min(workers, 5)
    dealt = {scenario.name: quota for share in shares for scenario, quota in share}
    assert dealt.keys() == {scenario.name for scenario in scenarios}
    if total is None:
        assert set(dealt.values()) == {None}
    else:
        quotas = [quota for quota in dealt.values() if quota is not None]
        assert sum(quotas) == total
        assert max(quotas) - min(quotas) <= 1
        assert dealt == {s.name: q for s, q in chosen(options, scenarios)}


def test_a_scenario_that_the_subject_cannot_play_is_skipped() -> None:
    race = stall.scenario("race")
    fractions = replace(
        race, name="cents", start=replace(race.start, workspaces={"A": Decimal("0.5"), "B": Decimal(1)})
    )
    whole = replace(stall.subject(), without=("fractions",))
    able, skipped = playable(whole, [race, fractions])
    assert [each.name for each in able] == [race.name]
    assert skipped == {"cents": "stall has no amounts that are not whole"}
    with pytest.raises(UsageError, match=r"stall has no amounts that are not whole; expected .* \[nothing-to-verify\]"):
        playable(whole, [fractions])
