"""Whole load runs as rounds: with made-up ones what is said of them, and a real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.compare import load
from harness.compare.load import WINDOW_S, compare_load
from harness.compare.run import Options
from harness.compare.version import Version
from harness.db.any_server import AnyServer
from harness.load.plan import Plan, find_scenario
from harness.marketplace.subject import load_subject
from harness.report.compare import render_compare
from harness.resources import bundled
from harness.words.errors import UsageError
from tests.compare.documents import SCHEMA

REFERENCE = load_subject("reference", bundled("sql"))
DIRECT = find_scenario("sql-functions", bundled("locustfiles"))
MIX = find_scenario("marketplace-mix", bundled("locustfiles"))


class Runs:
    """In the place of ``run_load``: what comes of a run follows from whose it is."""

    def __init__(self, of: Callable[[Plan], dict[str, Any]]) -> None:
        self.plans: list[Plan] = []
        self._of = of

    def __call__(self, _: AnyServer, plan: Plan, folder: Path, *__: Any) -> dict[str, Any]:
        assert folder.is_dir()
        self.plans.append(plan)
        return {
            "interrupted": False, "exit_code": 0, "verdict": "holds", "requests": 100, "per_second": 1000.0,
            "closed_ms": {"p50": 3.0, "p90": 9.0}, "properties": [],
        } | self._of(plan)  # fmt: skip


def compared(server: AnyServer, budget_s: float = 100, **options: Any) -> dict[str, Any]:
    slow = load_subject("published", bundled("sql"))
    asked = Options(Version("reference", REFERENCE), Version("slow", slow), budget_s, profile="load:sql-functions")
    document = compare_load(server, asked, options.get("scenario", DIRECT), lambda *_: None)
    SCHEMA.validate(document)
    return document


def test_who_is_slower_in_every_round_is_slower(server: AnyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(0)
    runs = Runs(
        lambda plan: {
            "per_second": (800 if plan.subject.name == "published" else 1000) * random.uniform(0.99, 1.01),
            "closed_ms": {"p50": random.uniform(3, 3.01), "p90": random.uniform(9, 9.01)},
        }
    )
    monkeypatch.setattr("harness.load.run.run_load", runs)
    document = compared(server, 2)
    assert (document["verdict"], document["exit_code"]) == ("slower", 4)
    (entry,) = document["functions"]
    verdicts = {each["id"]: each["verdict"] for each in entry["figures"]}
    assert verdicts["pace"] == "slower"
    assert 0.2 < next(each for each in entry["figures"] if each["id"] == "pace")["increase"]["middle"] < 0.3
    assert {plan.seconds for plan in runs.plans} == {WINDOW_S}
    first = [plan.seed for plan in runs.plans[:3]]
    assert len(set(first)) == 1 < len({plan.seed for plan in runs.plans})
    text = " ".join(render_compare(document).split())
    assert text.startswith("SLOWER: sql_functions (time per request +2")
    assert "of a load run no cause is looked for" in text


def test_a_run_that_breaks_a_promise_is_no_measure(server: AnyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"exit_code": 1, "verdict": "violated", "properties": [{"id": "sold-once", "verdict": "violated"}]}
    monkeypatch.setattr(
        "harness.load.run.run_load", Runs(lambda plan: broken if plan.subject.name == "published" else {})
    )
    document = compared(server)
    assert (document["verdict"], document["exit_code"]) == ("not_exercised", 5)
    (entry,) = document["functions"]
    assert entry["reason"] == "candidate refuses: the load run ended with violated (sold-once)"


def test_ctrl_c_in_a_run_ends_the_rounds(server: AnyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.load.run.run_load", Runs(lambda _: {"interrupted": True}))
    document = compared(server)
    assert (document["interrupted"], document["verdict"]) == (True, "not_exercised")


def test_a_subject_without_the_api_is_refused(server: AnyServer) -> None:
    with pytest.raises(UsageError) as refused:
        compared(server, scenario=MIX)
    assert refused.value.slug == "no-api"


@pytest.mark.nightly
def test_real_runs_are_compared(server: AnyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "WINDOW_S", 1.0)
    own = Version("reference", REFERENCE)
    asked = Options(own, own, 1, profile="load:sql-functions")
    document = compare_load(server, asked, DIRECT, lambda *_: None)
    SCHEMA.validate(document)
    (entry,) = document["functions"]
    assert (entry["id"], entry["rounds"], entry["reason"]) == ("sql_functions", 1, None)
    assert all(figure["base"] > 0 < figure["candidate"] for figure in entry["figures"])
    assert document["verdict"] == "cannot_tell"
