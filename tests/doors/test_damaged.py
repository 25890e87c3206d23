"""Run documents in which a part is of a wrong kind: every view tells or refuses them, and the index has the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.doors.reporting import report
from harness.words.errors import UsageError
from tests.report.documents import document
from tests.report.test_views import DOCUMENTS

KEPT = ("format", "version")
WRONG: tuple[Any, ...] = ([], "x", None, {"id": []})


def damaged(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The document with each of its parts of one wrong kind, each in its turn."""
    for number, name in enumerate(each for each in found if each not in KEPT):
        yield {**found, name: WRONG[number % len(WRONG)]}


@pytest.mark.parametrize("form", ["text", "junit", "html"])
@pytest.mark.parametrize("name", ["verify", "faults", "model", "load", "monitor", "compare"])
def test_a_view_tells_or_refuses_it(name: str, form: str, tmp_path: Path) -> None:
    refused = []
    for each in damaged(DOCUMENTS[name]()):
        file = tmp_path / "damaged.json"
        file.write_text(json.dumps(each))
        try:
            report([str(file)], form=form, out=tmp_path / "view", reports=tmp_path, opens=False)
        except UsageError as error:
            refused.append(error.slug)
    assert set(refused) == {"bad-run-document"}


@pytest.mark.parametrize(
    ("form", "parts"), [("html", {"run": []}), ("junit", {"seconds": "x"}), ("text", {"format": ["harness-verify"]})]
)
def test_the_file_is_named(
    form: str, parts: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "damaged.json").write_text(json.dumps({**document("violated_two"), **parts}))
    assert main(["report", str(tmp_path / "damaged.json"), "--as", form]) == 2
    said = capsys.readouterr().err
    assert "damaged.json" in said
    assert "[bad-run-document]" in said


def test_one_that_is_nested_too_deeply_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    assert main(["report", str(tmp_path / "deep.json")]) == 2
    assert "[bad-run-document]" in capsys.readouterr().err


def test_the_index_has_the_others(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    whole = document("violated_two")
    strange = [*damaged(whole), {**whole, "format": ["x"]}, {**whole, "seconds": "x"}, {**whole, "verdict": ["x"]}]
    for number, each in enumerate([*strange, whole, whole]):
        (runs / f"{number:02}.json").write_text(json.dumps(each))
        (tmp_path / f"{number:02}.html").write_text("the page is there already")
    assert main(["report", "--index", "--reports", str(tmp_path)]) == 0
    text = (tmp_path / "index.html").read_text()
    for number in (len(strange), len(strange) + 1):
        assert f'href="{number:02}.html"' in text
    for number in range(len(strange)):
        assert (f'href="{number:02}.html"' in text) != (f"{number:02}.json: " in text)
    assert "lacks a part or has one of a wrong kind" in text


def test_shards_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = {**document("holds"), "shard": {"number": 1, "of": 1, "scenarios": [], "properties": []}}
    for name, wrong in (("shard", []), ("shard", {}), ("shard", {"number": "x"}), ("scenarios", "x"), ("seconds", [])):
        file, copy = tmp_path / "shard.json", tmp_path / "whole.json"
        file.write_text(json.dumps({**shard, name: wrong}))
        assert main(["report", "--merge", str(file), "--reports", str(tmp_path), "--json", str(copy)]) == 2
        said = capsys.readouterr().err
        assert "[bad-run-document]" in said or "[not-a-shard]" in said, said
        assert not copy.exists()
