"""The run document of a model and its report: by its schema, and with the verdict first and last."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError

from harness.db.any_server import AnyServer
from harness.report.model import render_model
from tests.report.schemas import altered, schema, validator
from tests.verify.command import Ended, harness

ROOT = Path(__file__).parents[2]


MODEL = validator("model")


def run(server: AnyServer, directory: Path, *arguments: str) -> tuple[Ended, dict[str, Any]]:
    ended = harness("model", *arguments, "--dsn", server.dsn(), "--json", "lives.json", cwd=directory)
    return ended, json.loads((directory / "lives.json").read_text())


@pytest.fixture(scope="module")
def violated(server: AnyServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended, dict[str, Any]]:
    directory = tmp_path_factory.mktemp("violated")
    return directory, *run(server, directory, "--subject", "published", "--seed", "5")


def test_a_violation_is_exit_1_and_can_be_replayed(
    violated: tuple[Path, Ended, dict[str, Any]], server: AnyServer
) -> None:
    directory, ended, document = violated
    assert ended.code == 1
    MODEL.validate(document)
    (broken,) = document["properties"]
    first, *_, last, how_to_see = [line for line in ended.out.splitlines() if line]
    assert how_to_see.startswith("harness report reports/runs/")
    assert first == last
    assert first.startswith(f"VIOLATED: published breaks {broken['id']}")
    assert "step │" in ended.out
    assert "No single operation can be left out." in ended.out
    file = broken["counterexample"]["file"]
    assert f"harness replay {file}" in ended.out
    again = harness("replay", file, "--dsn", server.dsn(), cwd=directory)
    assert again.code == 1
    assert f"{broken['id']} is violated" in again.out


def test_what_holds_is_exit_0(server: AnyServer, tmp_path: Path) -> None:
    ended, document = run(server, tmp_path, "--lives", "3", "--steps", "25")
    assert ended.code == 0, ended
    MODEL.validate(document)
    assert (document["replayed"], document["lives"]) == (0, 3)
    assert ended.out.startswith("HOLDS: reference keeps every property in 3 lives\n")
    assert "in how many lives" in ended.out
    assert "at most 3 lives" in ended.err


def test_a_budget_ends_it(server: AnyServer, tmp_path: Path) -> None:
    ended, document = run(server, tmp_path, "--budget", "4s")
    assert ended.code in (0, 5), ended  # on a busy machine too little happens in it
    assert not document["interrupted"]
    assert document["lives"] >= 1


def test_two_limits_are_one_too_many(tmp_path: Path) -> None:
    ended = harness("model", "--budget", "4s", "--lives", "3", cwd=tmp_path)
    assert ended.code == 2
    assert "[two-limits]" in ended.complaint


OFFENCES: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "an unknown verdict": (("verdict",), "probably"),
    "a negative count": (("blocks",), -1),
    "a label never seen": (("seen", "overlap"), 0),
    "a field that nobody knows": (("mood",), "good"),
    "a counterexample without its story": (("properties", 0, "counterexample", "story"), None),
}


@pytest.mark.parametrize("offence", OFFENCES)
def test_what_must_not_be_written_is_refused(offence: str, violated: tuple[Path, Ended, dict[str, Any]]) -> None:
    path, value = OFFENCES[offence]
    with pytest.raises(ValidationError):
        MODEL.validate(altered(violated[2], path, value))


def test_the_docs_explain_every_field() -> None:
    page = (ROOT / "docs" / "models.md").read_text()
    cells = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", page, re.MULTILINE)
    explained = {name for cell in cells for name in re.findall(r"[a-z_]+", cell)}
    assert explained == set(schema("model")["required"])


def test_every_verdict_has_its_headline(violated: tuple[Path, Ended, dict[str, Any]]) -> None:
    document = {**violated[2], "properties": [], "also_broken": [], "seen": {"overlap": 2, "ok:Buy": 1}, "lives": 2}
    heads = {
        "holds": "HOLDS: published keeps every property in 2 lives",
        "not_exercised": "NOT EXERCISED: too little happened on published in 2 lives to say anything",
    }
    for verdict, head in heads.items():
        assert render_model({**document, "verdict": verdict}).splitlines()[0] == head
    flaky = {**violated[2], "verdict": "nondeterministic"}
    assert render_model(flaky).startswith("NOT JUDGED: published breaks ")
    cut = render_model({**document, "verdict": "holds", "interrupted": True})
    assert cut.splitlines()[0].endswith("(interrupted; judged by what was lived)")
