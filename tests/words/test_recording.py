"""Schedule files: what is written is read again, and what is no such file is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.words.errors import UsageError
from harness.words.history import Event, EventKind
from harness.words.recording import FORMAT, VERSION, Recording
from harness.words.schedule import Decision

RECORDING = Recording(
    subject="before",
    subject_digest="1a2b",
    scenario="one lead, two buyers",
    scenario_digest="3c4d",
    isolation="read committed",
    property="sold-once",
    why='lead "ä" was sold twice',
    preemptions=1,
    proved_minimum=True,
    decisions=(
        Decision((0, 1), None, 1),
        Decision((0, 1), 1, 0),
        Decision((0,), 0, 0),
        Decision((1,), 0, 1),
    ),
    events=(
        Event(1, 0, EventKind.WAIT, "", (1,)),
        Event(2, 0, EventKind.WAKE, "", (1,)),
        Event(3, 1, EventKind.ERROR, "40P01"),
    ),
    outcome="feedbeef",
)


def document(**changes: Any) -> dict[str, Any]:
    return {**json.loads(RECORDING.to_json()), **changes}


def load(text: str, tmp_path: Path) -> Recording:
    path = tmp_path / "schedule.json"
    path.write_text(text, encoding="utf-8")
    return Recording.load(path)


def refusal(text: str, tmp_path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(text, tmp_path)
    assert "schedule.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    assert load(RECORDING.to_json(), tmp_path) == RECORDING


def test_the_file_is_small_and_says_what_it_is() -> None:
    text = RECORDING.to_json()
    assert text.startswith('{"format": "harness-schedule", "version": 1')
    assert text.endswith("}\n")
    assert json.loads(text)["steps"] == [[1, [0, 1]], [0, [0, 1]], [0, [0]], [1, [1]]]


def test_the_same_recording_is_the_same_text() -> None:
    assert RECORDING.to_json() == RECORDING.to_json()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off(share: float, tmp_path: Path) -> None:
    text = RECORDING.to_json()
    error = refusal(text[: int((len(text) - 2) * share)], tmp_path)
    assert error.slug == "bad-schedule-file"


def test_another_version(tmp_path: Path) -> None:
    error = refusal(json.dumps(document(version=VERSION + 1)), tmp_path)
    assert (error.slug, error.expected) == ("schedule-version", f"version {VERSION}")


@pytest.mark.parametrize("text", ["[]", "{}", "1", "null", '{"format": "another", "version": 1}'])
def test_another_format(text: str, tmp_path: Path) -> None:
    assert FORMAT in refusal(text, tmp_path).expected


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*No such file") as caught:
        Recording.load(tmp_path / "none.json")
    assert caught.value.slug == "no-schedule-file"


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        Recording.load(tmp_path)


def test_no_text(tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not valid JSON"):
        Recording.load(path)


def test_brackets_without_end(tmp_path: Path) -> None:
    assert refusal("[" * 100_000, tmp_path).slug == "bad-schedule-file"


@pytest.mark.parametrize("part", [key for key in document() if key not in ("format", "version")])
def test_a_part_is_missing(part: str, tmp_path: Path) -> None:
    text = json.dumps({key: value for key, value in document().items() if key != part})
    assert "lacks a part" in refusal(text, tmp_path).seen


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "before"},
        {"subject": {"name": "before"}},
        {"steps": None},
        {"steps": [[0]]},
        {"steps": [["first", ["first"]]]},
        {"steps": [[0, 1]]},
        {"steps": [[2, [0, 1]]]},
        {"events": [[0, 0, "yawn", "", []]]},
        {"events": [[0, 0]]},
        {"preemptions": "many"},
    ],
    ids=str,
)
def test_a_part_of_a_wrong_kind(changes: dict[str, Any], tmp_path: Path) -> None:
    assert refusal(json.dumps(document(**changes)), tmp_path).slug == "bad-schedule-file"
