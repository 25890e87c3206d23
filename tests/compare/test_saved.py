"""Comparisons with saved runs, and the history of figures."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from harness.compare.baseline import COLUMNS, append_baseline
from harness.compare.saved import saved_run, unpaired_document
from harness.report.compare import render_compare
from harness.words.errors import UsageError
from tests.compare.documents import SCHEMA, document
from tests.compare.rounds import rounds


def compared(old: dict[str, Any], new: dict[str, Any], *, strict: bool = False) -> dict[str, Any]:
    found = unpaired_document(old, new, saved={"base": "old.json"}, strict=strict, seconds=1)
    SCHEMA.validate(found)
    return found


def test_more_pages_are_more_pages_on_any_day() -> None:
    found = compared(document({"read": rounds(60)}), document({"read": rounds(60, buffers=1.03)}))
    assert (found["verdict"], found["exit_code"], found["paired"]) == ("slower", 4, False)
    assert (found["base"]["saved"], found["candidate"]["saved"]) == ("old.json", None)
    text = " ".join(render_compare(found).split())
    assert "NOT PAIRED, with a saved run (old.json): weaker." in text


def test_ten_percent_of_time_is_within_what_two_runs_differ_by() -> None:
    old = document({"read": rounds(200)})
    assert compared(old, document({"read": rounds(200, cpu=1.1)}))["verdict"] == "cannot_tell"
    assert compared(old, document({"read": rounds(200, cpu=1.1)}), strict=True)["exit_code"] == 6
    assert compared(old, document({"read": rounds(200, cpu=1.5)}))["verdict"] == "slower"
    # Half as much is no slowdown, however far the machine has drifted.
    assert compared(old, document({"read": rounds(200, cpu=0.5, p50=0.5)}))["verdict"] == "no_slowdown"


def test_times_of_two_machines_are_not_compared() -> None:
    other = document({"read": rounds(60, cpu=3, p50=3)}, machine="f" * 12)
    found = compared(document({"read": rounds(60)}), other)
    assert found["verdict"] == "no_slowdown"
    (entry,) = found["functions"]
    assert {each["id"]: each["verdict"] for each in entry["figures"]} == {
        "cpu": "not_measured",
        "p50": "not_measured",
        "buffers": "no_slowdown",
        "wal": "no_slowdown",
    }
    assert entry["reason"] == "processor time and latency are of two machines"


def test_nothing_in_common_is_not_exercised() -> None:
    assert compared(document({"read": rounds(60)}), document({"buy": rounds(60)}))["exit_code"] == 5


def test_two_stocks_do_not_compare() -> None:
    old = document({"read": rounds(20)})
    with pytest.raises(UsageError, match="other-stock"):
        unpaired_document({**old, "leads": 7}, old, saved={}, strict=False, seconds=1)


def test_a_saved_run_is_a_file_of_json(tmp_path: Path) -> None:
    assert saved_run("reference") is None
    assert saved_run(str(tmp_path / "none.json")) is None
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document({"read": rounds(20)})), encoding="utf-8")
    found = saved_run(str(path))
    assert found is not None
    assert found["format"] == "harness-compare"
    for text, seen in (
        ("{", "cannot be read as JSON"),
        ("[]", "is no run document"),
        ('{"format": "harness-verify", "version": 3}', "is a harness-verify, version 3; expected a harness-compare"),
        (
            '{"format": "harness-compare", "version": 1, "profile": "api"}',
            "version 1, of api; expected a harness-compa",
        ),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=seen) as caught:
            saved_run(str(path))
        assert caught.value.slug == "bad-saved-run"


def test_the_history_has_a_row_for_every_run(tmp_path: Path) -> None:
    for time in ("2026-11-26T10:00:00Z", "2026-11-27T10:00:00Z"):
        append_baseline(document({"read": rounds(20), "buy": rounds(20), "sweep": ()}), time, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["buy.csv", "read.csv"]
    with (tmp_path / "read.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [tuple(row) for row in rows] == [COLUMNS, COLUMNS]
    assert [row["time"] for row in rows] == ["2026-11-26T10:00:00Z", "2026-11-27T10:00:00Z"]
    assert {row["buffers"] for row in rows} == {"60.0"}
    assert {row["commit"] for row in rows} == {""}
