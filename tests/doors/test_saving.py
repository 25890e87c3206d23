"""What a run leaves in files: its document under a name of its own, copies where asked, and the graver news first."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.doors.calling import called
from harness.doors.saving import Saving, run_id
from harness.words.errors import CouldNotRun
from tests.report.documents import document
from tests.report.schemas import validator

FULL = Path("/dev/full")
"""A device on which there is never any room (Linux)."""


def unstamped(name: str) -> dict[str, Any]:
    return {part: value for part, value in document(name).items() if part != "run"}


def test_the_document_is_written_with_its_run_and_how_to_see_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    called(["verify", "--dsn", "secret"])
    saving = Saving("verify", "mine", reports=tmp_path / "some reports", json_file=tmp_path / "copy.json")
    assert saving.ended(unstamped("violated_two")) == 1
    written = json.loads(saving.path.read_text())
    validator("verify").validate(written)
    assert written["run"]["id"] == saving.path.stem
    assert written["run"]["command"] == "harness verify --dsn ..."
    assert json.loads((tmp_path / "copy.json").read_text()) == written
    *_, verdict, how_to_see = capsys.readouterr().out.splitlines()
    assert verdict.startswith("VIOLATED: mine")
    assert how_to_see == f"harness report '{saving.path}' --open"


def test_many_runs_of_the_same_second_have_names_of_their_own() -> None:
    now = datetime.now(UTC)
    with ThreadPoolExecutor(8) as many:
        ids = list(many.map(lambda _: run_id(now, "verify", "published"), range(50)))
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("about", ["../../etc", "planted:a b", "x" * 300, "", "äöü"])
def test_an_id_is_a_name_of_a_file_whatever_it_is_about(about: str, tmp_path: Path) -> None:
    path = tmp_path / f"{run_id(datetime.now(UTC), 'verify', about)}.json"
    path.write_text("")
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "code"), [("violated_two", 1), ("holds", 3)])
def test_a_full_disk_does_not_hide_a_violation(
    name: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saving = Saving("verify", "mine", reports=tmp_path)
    saving.path.parent.mkdir(parents=True)
    saving.path.symlink_to(FULL)
    with pytest.raises(CouldNotRun, match="No space left") as raised:
        saving.ended(unstamped(name))
    assert raised.value.exit_code == code
    said = capsys.readouterr().out
    assert said.splitlines()[0] == said.splitlines()[-1], "the verdict is said all the same"
    assert "harness report" not in said


def test_what_is_interrupted_is_written_too(tmp_path: Path) -> None:
    saving = Saving("verify", "reference", reports=tmp_path)
    assert saving.ended({**unstamped("holds"), "interrupted": True}) == 130
    assert json.loads(saving.path.read_text())["interrupted"]


def test_a_directory_that_cannot_be_written_is_found_out_at_once(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(CouldNotRun, match="cannot write"):
        Saving("monitor", "", reports=tmp_path / "taken")
