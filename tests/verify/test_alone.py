"""Exploring and replaying one scenario in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from harness.explore.strategies import STRATEGIES
from harness.marketplace.subject import Subject
from harness.verify.alone import explore, replay
from harness.verify.enquiry import seed_of
from harness.verify.orders import ScenarioReport
from harness.words.verdict import Certificate
from tests.verify.stall import scenario, spoilt, subject

pytestmark = pytest.mark.usefixtures("unpinned")


@pytest.fixture
def racy(tmp_path: Path) -> Subject:
    """Nobody locks the contact before looking at it."""
    return subject(spoilt(tmp_path, {"FOR UPDATE": ""}))


def explored(
    server: AnyServer, subject: Subject, strategy: str, most: int | None = None, preemptions: int | None = None
) -> ScenarioReport:
    ticks: list[tuple[str, int, int]] = []
    found, plan, interrupted = explore(
        server,
        subject,
        scenario("race"),
        strategy,
        most=most,
        preemptions=preemptions,
        seed=1,
        isolation="read committed",
        tick=lambda *told: ticks.append(told),
    )
    (report,) = found.scenarios
    assert len(plan.points) > 5
    assert found.reached
    assert not interrupted
    assert ticks[-1] == ("stall-race", report.schedules, len(report.counterexamples))
    return report


def test_every_strategy_runs_as_many_schedules_as_it_may(server: AnyServer) -> None:
    for strategy in STRATEGIES:
        report = explored(server, subject(), strategy, most=7)
        assert (report.schedules, report.strategy) == (7, strategy)
        assert report.explored.certificate is not Certificate.EXHAUSTED
        assert report.counterexamples == {}


def test_exhaustive_ends_when_all_is_done(server: AnyServer) -> None:
    everything = explored(server, subject(), "exhaustive")
    assert (everything.explored.certificate, everything.explored.bound) == (Certificate.EXHAUSTED, None)
    assert everything.distinct == everything.schedules
    sequential = explored(server, subject(), "exhaustive", preemptions=0)
    assert sequential.schedules < everything.schedules
    assert (sequential.explored.certificate, sequential.explored.bound) == (Certificate.EXHAUSTED, 0)
    bounded = explored(server, subject(), "exhaustive", preemptions=2)
    assert sequential.schedules < bounded.schedules <= everything.schedules
    assert bounded.explored.certificate is Certificate.EXHAUSTED


def test_a_counterexample_is_small_and_comes_again(server: AnyServer, racy: Subject) -> None:
    report = explored(server, racy, "random", most=60)
    found = report.counterexamples["sold-once"]
    assert report.violating["sold-once"] > 0
    assert 1 <= found.found_after_schedules <= 60
    assert (found.reproduced, found.replays) == (10, 10)
    assert (found.recording.preemptions, found.recording.proved_minimum) == (1, True)
    assert found.recording.property == "sold-once"
    assert dict(found.guilty)
    again = replay(server, racy, scenario("race"), found.recording)
    assert (again.faithful, again.violated, again.difference) == (True, True, "")
    assert again.story == found.story


def test_on_the_mended_function_the_schedule_goes_another_way(server: AnyServer, racy: Subject) -> None:
    recording = explored(server, racy, "mixture", most=40).counterexamples["sold-once"].recording
    again = replay(server, subject(), scenario("race"), recording)
    assert not again.faithful
    assert again.difference


def test_each_scenario_has_a_seed_of_its_own() -> None:
    seeds = {seed_of(seed, name) for seed in (0, 1, -1) for name in ("a", "b", "1:a")}
    assert len(seeds) == 9
    assert seed_of(0, "a") == seed_of(0, "a")
