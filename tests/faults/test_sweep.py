"""The sweep on a real server: the reference holds, what is wrong is found and replays, and the detectors can fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.db import stage
from harness.db.any_server import AnyServer
from harness.explore.sparse import Sparse
from harness.faults.case import load_cases, scenario_named
from harness.faults.sweep import Sweep, chosen_cases, chosen_faults, run_sweep
from harness.marketplace.properties import check
from harness.marketplace.subject import load_subject
from harness.report.faults import render_faults
from harness.resources import bundled
from harness.verify.alone import replay, require_same, staged
from harness.words.history import History
from harness.words.recording import Recording
from harness.words.schedule import Switch
from tests.report.schemas import stamped, validator

CASES = load_cases(bundled("scenarios") / "faults")


SCHEMA = validator("faults")


def swept(
    server: AnyServer,
    directory: Path,
    subject: str,
    operations: list[str] | None,
    faults: list[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A sweep with one SQLSTATE, and its document as JSON has it."""
    sweep = Sweep(
        load_subject(subject, bundled("sql")),
        chosen_cases(CASES, operations),
        chosen_faults(faults, ["XX000"]),
        directory,
        **more,
    )
    document = json.loads(json.dumps(run_sweep(server, sweep, lambda *_: None, lambda: None)))
    SCHEMA.validate(stamped(document))
    return dict(document)


def cells(document: dict[str, Any]) -> dict[tuple[str, str, str], tuple[int, int]]:
    return {
        (operation["name"], step["where"], fault): (struck["histories"], struck["violating"])
        for operation in document["operations"]
        for step in operation["steps"]
        for fault, struck in step["faults"].items()
    }


@pytest.fixture(scope="module")
def top_up(server: AnyServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every fault at every step of a top-up, pairs of them, and a few beside a buyer."""
    return swept(server, tmp_path_factory.mktemp("schedules"), "reference", ["top-up"], pairs=20, beside=20)


def test_the_reference_keeps_every_property(top_up: dict[str, Any]) -> None:
    assert (top_up["verdict"], top_up["exit_code"], top_up["leaks"]) == ("holds", 0, 0)
    assert top_up["never_struck"] == []
    assert {each["verdict"] for each in top_up["properties"]} <= {"holds", "not_applicable"}
    assert top_up["unknown"]["unexplained"] == 0
    assert top_up["unknown"]["committed"] > 0
    assert top_up["unknown"]["rolled_back"] > 0


def test_every_step_is_struck_by_every_fault_that_can(top_up: dict[str, Any]) -> None:
    (operation,) = top_up["operations"]
    inside = [step for step in operation["steps"] if step["where"] != "client"]
    assert len(inside) == 6
    for step in inside:
        assert {"cancel", "terminate", "cut-after-send", "error XX000", "lock-timeout"} == set(step["faults"])
    (client,) = [step for step in operation["steps"] if step["where"] == "client"]
    assert set(client["faults"]) == {"terminate", "cut-before-send", "cut-after-send"}
    exhausted = {fault: each["certificate"] for fault, each in operation["faults"].items()}
    assert exhausted == {**dict.fromkeys(exhausted, "EXHAUSTED"), "lock-timeout": "SAMPLED"}


def test_the_numbers_add_up(top_up: dict[str, Any]) -> None:
    parts = [top_up[part]["histories"] for part in ("single", "pairs", "beside")]
    assert (sum(parts), parts[1:]) == (top_up["histories"], [20, 20])
    assert top_up["steps"] == sum(len(each["steps"]) for each in top_up["operations"])
    assert top_up["strikes"] == len(cells(top_up))


def test_the_report_shows_the_matrix(top_up: dict[str, Any]) -> None:
    text = render_faults(top_up, ascii_only=False)
    assert max(map(len, text.splitlines())) <= 100
    assert text.startswith("HOLDS: reference keeps every property through")
    assert "in complete_credit_top_up" in text
    assert "INSERT INTO credit_ledger" in text
    assert "leaked connections and locks: 0" in text
    assert "\x1b[" in render_faults({**top_up, "verdict": "violated"}, colour=True)
    assert render_faults(top_up, ascii_only=True).isascii()


def test_the_same_seed_gives_the_same_sweep(server: AnyServer, tmp_path: Path) -> None:
    one, other = (
        swept(
            server,
            tmp_path,
            "reference",
            ["update-price", "validate"],
            ["terminate", "cancel"],
            pairs=10,
            beside=10,
            workers=n,
        )
        for n in (1, 2)
    )
    assert [each["digest"] for each in one["scenarios"]] == [each["digest"] for each in other["scenarios"]]
    assert cells(one) == cells(other)


def test_a_route_without_a_transaction_is_broken_by_any_fault_and_the_run_replays(
    server: AnyServer, tmp_path: Path
) -> None:
    document = swept(server, tmp_path, "before", ["buy"], ["terminate"])
    assert (document["verdict"], document["exit_code"]) == ("violated", 1)
    verdicts = {each["id"]: each for each in document["properties"]}
    assert verdicts["all-or-nothing"]["verdict"] == "violated"
    assert any(violating for _, violating in cells(document).values())
    found = verdicts["all-or-nothing"]["counterexample"]
    assert found["reproduced"] == found["replays"] == 10
    assert "✗" in render_faults(document, ascii_only=False)
    recording = Recording.load(Path(found["file"]))
    scenario = scenario_named(recording.scenario, CASES)
    assert scenario is not None
    subject = load_subject("before", bundled("sql"))
    require_same(recording, subject, scenario)
    again = replay(server, subject, scenario, recording)
    assert again.faithful
    assert again.violated


def test_an_event_that_is_claimed_before_its_effect_is_lost(server: AnyServer, tmp_path: Path) -> None:
    document = swept(server, tmp_path, "published", ["deliver-paid"], ["cancel", "cut-before-send"])
    assert document["verdict"] == "violated"
    broken = {each["id"] for each in document["properties"] if each["verdict"] == "violated"}
    assert broken & {"paid-is-served", "no-lost-acknowledgement", "webhook-idempotent"}


def test_a_fault_that_strikes_nothing_is_no_pass(server: AnyServer, tmp_path: Path) -> None:
    document = swept(server, tmp_path, "reference", ["update-price"], ["error"])
    assert (document["verdict"], document["exit_code"]) == ("not_exercised", 5)
    assert document["never_struck"] == ["error XX000"]
    assert render_faults(document).startswith("NOT EXERCISED: nothing on reference was struck by error XX000")


@contextmanager
def played(server: AnyServer, at: int) -> Iterator[Callable[[], History]]:
    """A top-up that is terminated at one step."""
    with staged(server, load_subject("reference", bundled("sql")), "read committed") as (_, _, theatre):
        trial = theatre.trial(CASES["top-up"].scenario(chosen_faults(["terminate"], None)))

        def play() -> History:
            strategy = Sparse((Switch(at, 1),))
            assert strategy.begin()
            return trial.run(strategy)[1]

        yield play


def test_nothing_leaks(server: AnyServer) -> None:
    with played(server, 3) as play:
        assert play().leaks == ()


def test_a_connection_that_is_left_over_is_a_leak(server: AnyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with played(server, 0) as play:
        play()
        left: list[Any] = []
        monkeypatch.setattr(stage, "hang_up", left.append)
        monkeypatch.setattr(stage.PostgresStage, "ask", _without_killing)
        history = play()
        for pgconn in left:
            pgconn.finish()
    (leak,) = [each for each in history.leaks if each.startswith("backend")]
    assert "is still there" in leak
    assert [violation.property for violation in check(history, ["no-leak"])][:1] == ["no-leak"]


_ask = stage.PostgresStage.ask


def _without_killing(self: stage.PostgresStage, name: bytes, parameters: Any) -> Any:
    return _ask(self, b"blockers", (b"{}",)) if name == b"kill" else _ask(self, name, parameters)
