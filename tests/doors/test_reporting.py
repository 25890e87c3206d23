"""``harness report`` as its users call it: which run, which view, where it goes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.cli import main
from harness.report.stored import VERSIONS
from tests.report.documents import document
from tests.report.test_load_page import document as load_document

FIRST = "20260205-101500-verify-mine-3fa2c1"
SECOND = "20260205-101600-load-mix-0b11e5"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with two runs, in which the commands are called."""
    monkeypatch.chdir(tmp_path)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "HARNESS_DSN"):
        monkeypatch.delenv(name, raising=False)
    runs = tmp_path / "reports" / "runs"
    runs.mkdir(parents=True)
    for id_, found in ((FIRST, document("violated_two")), (SECOND, load_document("load_open"))):
        found["run"]["id"] = id_
        (runs / f"{id_}.json").write_text(json.dumps(found))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["report", *arguments]) == code
    out, err = capsys.readouterr()
    assert (err == "") == (code == 0)
    return out if code == 0 else err


def test_the_latest_becomes_a_page_above_the_documents(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == f"reports/{SECOND}.html\n"
    assert (elsewhere / "reports" / f"{SECOND}.html").read_text().startswith("<!doctype html>")


def test_a_run_is_a_file_an_id_or_the_latest(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_id = said(capsys, FIRST, "--as", "text")
    assert by_id.startswith("VIOLATED: mine breaks 3 of 4")
    assert said(capsys, f"reports/runs/{FIRST}.json", "--as", "text") == by_id
    both = said(capsys, FIRST, "latest", "--as", "text")
    assert both.startswith(by_id)
    copied = elsewhere / "run.json"
    copied.write_text((elsewhere / "reports" / "runs" / f"{FIRST}.json").read_text())
    assert said(capsys, str(copied)) == f"{elsewhere / 'run.html'}\n"


def test_every_form_is_said_or_written(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, FIRST, "--as", "markdown").startswith("### ❌ VIOLATED")
    ElementTree.fromstring(said(capsys, FIRST, "--as", "junit"))
    assert json.loads(said(capsys, FIRST, "--as", "trace"))["traceEvents"]
    assert said(capsys, FIRST, "--as", "markdown", "--out", "deep/summary.md") == ""
    assert (elsewhere / "deep" / "summary.md").read_text().startswith("### ❌ VIOLATED")


def test_a_page_is_opened_in_a_browser_and_without_one_said(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []

    def browse(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    assert said(capsys, FIRST, "--open").endswith("There is no browser to open it in here.\n")
    assert opened == []
    monkeypatch.setenv("BROWSER", "something")
    said(capsys, FIRST, "--open")
    assert opened == [(elsewhere / "reports" / f"{FIRST}.html").as_uri()]


def wrong(**parts: Any) -> str:
    return json.dumps({**document("holds"), **parts})


WRONG = {
    "cut off": (wrong()[:500], "is not valid JSON", "bad-run-document"),
    "something else": ("[]", "is no run document", "bad-run-document"),
    "foreign": (wrong(format="pytest"), "its format is 'pytest'", "bad-run-document"),
    "a schedule": (wrong(format="harness-schedule"), "harness replay", "bad-run-document"),
    "newer": (wrong(version=99), "has version 99", "run-document-version"),
    "no version": (wrong(version=None), "has version None", "run-document-version"),
    "a part is missing": (
        json.dumps({name: value for name, value in document("holds").items() if name != "scenarios"}),
        "lacks a part",
        "bad-run-document",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_that_is_no_run_is_refused(kind: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, says, slug = WRONG[kind]
    (elsewhere / "wrong.json").write_text(content)
    line = said(capsys, "wrong.json", "--as", "text", code=2)
    assert says in line
    assert f"[{slug}]" in line


@pytest.mark.parametrize(
    ("arguments", "slug"),
    [
        (["nothing"], "no-run"),
        (["--reports", "empty"], "no-run"),
        ([SECOND, "--as", "trace"], "no-such-view"),
        ([FIRST, SECOND, "--out", "x"], "one-out"),
        ([FIRST, "--as", "text", "--open"], "no-page"),
        (["--index", "--merge"], "two-reports"),
        (["--index", FIRST], "index-alone"),
        (["--merge", FIRST, "--as", "text"], "merge-alone"),
        (["--merge"], "nothing-to-merge"),
        ([FIRST, "--json", "x"], "no-document"),
    ],
)
def test_what_makes_no_sense_is_said(arguments: list[str], slug: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"[{slug}]" in said(capsys, *arguments, code=2)


def test_a_document_without_its_run_is_read_as_the_version_that_had_none(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {name: value for name, value in document("violated_two").items() if name != "run"} | {"version": 1}
    (elsewhere / "old.json").write_text(json.dumps(old))
    for form in ("text", "markdown", "junit", "trace", "html"):
        said(capsys, "old.json", "--as", form)


def test_the_index_has_every_run_and_names_what_is_none(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = elsewhere / "reports" / "runs"
    (runs / "20260205-101700-cut.json").write_text("{")
    assert said(capsys, "--index") == "reports/index.html\n"
    text = (elsewhere / "reports" / "index.html").read_text()
    for id_ in (FIRST, SECOND):
        assert f'href="{id_}.html"' in text
        assert (elsewhere / "reports" / f"{id_}.html").is_file()
    assert "20260205-101700-cut.json" in text
    assert "is not valid JSON" in text
    assert text.index(SECOND) < text.index(FIRST), "the latest first"


def test_the_versions_that_are_read_are_those_that_are_written() -> None:
    from harness.compare import document as compare
    from harness.faults import document as faults
    from harness.load import document as load
    from harness.monitor import document as monitor
    from harness.stateful import document as model
    from harness.verify import document as verify

    written = {each.FORMAT: each.VERSION for each in (compare, faults, load, monitor, model, verify)}
    assert {kind: newest for kind, (_, newest) in VERSIONS.items() if kind in written} == written
