"""Models as a whole: a seed makes the same lives again, planted faults are found and made small, nothing is guessed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.db.any_server import AnyServer
from harness.engine.execution import Hang, Run
from harness.marketplace.block import Block
from harness.marketplace.notation import read_scenario
from harness.marketplace.planted import find_subject
from harness.marketplace.subject import Subject
from harness.resources import bundled
from harness.stateful import check
from harness.stateful.alone import live
from harness.stateful.check import ModelReport, check_model, rehearse
from harness.stateful.life import Broken, Life
from harness.stateful.load import load_machine, load_recordings
from harness.verify.alone import replay, require_same
from harness.words.errors import CouldNotRun, UsageError
from harness.words.history import Call
from harness.words.recording import Recording
from harness.words.verdict import Violation

from .conftest import Staged

MARKETPLACE = load_machine()


def checked(staged: Staged, seed: int, **options: Any) -> ModelReport:
    return check_model(MARKETPLACE, *staged, seed_=seed, **{"lives": 8, "steps": 20} | options)


def but_for_time(report: ModelReport) -> ModelReport:
    found = report.counterexample
    return replace(report, seconds=0.0, counterexample=found and replace(found, found_after_s=0.0))


def test_the_same_seed_makes_the_same_lives(theatre_of: Callable[[str], Staged]) -> None:
    reference = theatre_of("reference")
    first, again, other = (but_for_time(checked(reference, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first.lives >= 8
    assert 0 < first.distinct <= first.blocks < first.steps
    assert first.counterexample is None


FOUND = {
    "amount-of-the-caller": "serializable",
    "busy-told-as-sold": "serializable",
}
"""Planted faults that the lives of one seed come upon soon, and what they break."""


@pytest.mark.parametrize("name", [pytest.param("amount-of-the-caller", marks=pytest.mark.nightly), "busy-told-as-sold"])
def test_a_planted_fault_is_found_and_made_small(
    name: str, theatre_of: Callable[[str], Staged], server: AnyServer, tmp_path: Path
) -> None:
    subject = f"planted:{name}"
    report = checked(theatre_of(subject), 3, lives=60, steps=40)
    found = report.counterexample
    assert found is not None
    assert found.recording.property == FOUND[name]
    assert found.reproduced == found.replays
    assert report.minimal
    assert found.recording.proved_minimum
    assert found.recording.preemptions <= 1
    file = tmp_path / "found.json"
    file.write_text(found.recording.to_json())
    recording = Recording.load(file)
    assert recording == found.recording
    assert recording.written is not None
    scenario = read_scenario(recording.written)
    again = find_subject(subject, bundled("sql"))
    require_same(recording, again, scenario)
    replayed = replay(server, again, scenario, recording)
    assert (replayed.faithful, replayed.violated) == (True, True)


def test_the_same_seed_finds_the_same(theatre_of: Callable[[str], Staged]) -> None:
    published = theatre_of("published")
    first, again = (checked(published, 5) for _ in range(2))
    assert but_for_time(first) == but_for_time(again)
    assert first.counterexample is not None


# -- what was found once --------------------------------------------------------------------------------------


def test_what_was_found_once_is_kept_by_the_reference(theatre_of: Callable[[str], Staged]) -> None:
    recordings = load_recordings()
    assert len(recordings) >= 3
    for recording in recordings:
        assert rehearse(theatre_of("reference")[2], recording) is None


@pytest.mark.parametrize("recording", load_recordings(), ids=lambda recording: recording.subject)
def test_and_is_found_again_where_it_was(recording: Recording, theatre_of: Callable[[str], Staged]) -> None:
    report = checked(theatre_of(recording.subject), 0, recordings=[recording])
    assert report.lives == 0
    assert report.replayed == 1
    assert report.counterexample is not None
    assert report.counterexample.recording.property == recording.property


def test_a_recording_without_its_scenario_is_refused(theatre_of: Callable[[str], Staged]) -> None:
    bare = replace(load_recordings()[0], written=None)
    with pytest.raises(UsageError, match="carries no scenario"):
        rehearse(theatre_of("reference")[2], bare)


# -- what must not be taken for a result ----------------------------------------------------------------------


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[Block]:
    """The blocks so far, of which the tenth breaks a property, once."""
    play, blocks = Life.play, list[Block]()

    def unsteady(life: Life, block: Block) -> tuple[Call, ...]:
        blocks.append(block)
        if len(blocks) == 10:
            life.broken = True
            life.last_broken = Broken([Violation("sold-once", "once only")], life.start, [block])
            raise life.last_broken
        return play(life, block)

    monkeypatch.setattr(Life, "play", unsteady)
    return blocks


@pytest.mark.usefixtures("played")
def test_a_failure_that_does_not_come_again_is_none(theatre_of: Callable[[str], Staged]) -> None:
    with pytest.raises(CouldNotRun, match="NONDETERMINISTIC"):
        checked(theatre_of("reference"), 1)


def test_one_that_comes_again_to_hypothesis_alone_is_none_either(
    theatre_of: Callable[[str], Staged], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "distil", lambda *_: None)
    with pytest.raises(CouldNotRun, match="NONDETERMINISTIC"):
        checked(theatre_of("published"), 5)


def test_nor_is_one_that_it_was_too_late_to_try_again(theatre_of: Callable[[str], Staged], played: list[Block]) -> None:
    with pytest.raises(CouldNotRun, match="NONDETERMINISTIC"):
        checked(theatre_of("reference"), 1, tick=lambda *_: len(played) < 10)


def test_a_hang_is_no_violation(theatre_of: Callable[[str], Staged], monkeypatch: pytest.MonkeyPatch) -> None:
    def hanging(_life: Life, _block: Block) -> tuple[Call, ...]:
        raise Hang("nobody moves", "session 0 waits", Run())

    monkeypatch.setattr(Life, "play", hanging)
    with pytest.raises(CouldNotRun, match="HANG: nobody moves"):
        checked(theatre_of("reference"), 1)


def spoilt(directory: Path, statement: str) -> Subject:
    """The reference with one more migration."""
    folder = directory / "spoilt"
    shutil.copytree(bundled("sql") / "reference", folder)
    (folder / "migrations" / "20990101000000_spoilt.sql").write_text(statement)
    return find_subject(str(folder), bundled("sql"))


def lived(server: AnyServer, subject: Subject, directory: Path) -> dict[str, Any]:
    return live(
        server,
        subject,
        MARKETPLACE,
        lives=6,
        steps=30,
        seed=1,
        isolation="read committed",
        schedule_files=directory,
    )


def test_operations_that_always_fail_are_not_exercised(server: AnyServer, tmp_path: Path) -> None:
    spoil = """
    CREATE OR REPLACE FUNCTION mark_leads_sold_bulk(p_lead_ids uuid[])
    RETURNS TABLE (leads_marked integer, lead_ids_marked uuid[], lead_ids_skipped uuid[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
      RAISE EXCEPTION 'spoilt' USING ERRCODE = 'XX001';
    END
    $$;
    """
    document = lived(server, spoilt(tmp_path, spoil), tmp_path)
    assert (document["verdict"], document["exit_code"]) == ("not_exercised", 5)
    assert [*document["unexplained"]] == ["MarkSold XX001"]


def test_a_lock_that_is_left_behind_is_found(server: AnyServer, tmp_path: Path) -> None:
    spoil = """
    CREATE OR REPLACE FUNCTION why_unsaleable(p_lead_ids uuid[], p_buyer_workspace_id uuid) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
      PERFORM pg_advisory_lock_shared(1);
      RETURN 'lead_unavailable';
    END
    $$;
    """
    document = lived(server, spoilt(tmp_path, spoil), tmp_path)
    assert document["verdict"] == "violated"
    assert "no-leak" in [*(each["id"] for each in document["properties"]), *document["also_broken"]]


def test_whoever_counts_can_end_it(theatre_of: Callable[[str], Staged]) -> None:
    told: list[int] = []

    def tick(lives: int, _blocks: int) -> bool:
        told.append(lives)
        return lives < 3

    report = checked(theatre_of("reference"), 1, lives=100, tick=tick)
    assert told == [1, 2, 3]
    assert report.lives == 3


def test_a_mistake_in_a_rule_is_no_finding(
    theatre_of: Callable[[str], Staged], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(_life: Life, _block: Block) -> tuple[Call, ...]:
        raise RuntimeError("a rule went wrong")

    monkeypatch.setattr(Life, "play", mistaken)
    with pytest.raises(RuntimeError, match="went wrong"):
        checked(theatre_of("reference"), 1)


def test_nothing_at_once_is_nothing_exercised(server: AnyServer, tmp_path: Path) -> None:
    document = live(
        server,
        find_subject("reference", bundled("sql")),
        MARKETPLACE,
        lives=1,
        steps=1,
        seed=0,
        isolation="read committed",
        schedule_files=tmp_path,
    )
    assert (document["verdict"], document["exit_code"]) == ("not_exercised", 5)
