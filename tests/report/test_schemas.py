"""The schemas: they take what the harness writes, refuse what it must not write, and the docs explain every field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from harness.db.any_server import AnyServer
from harness.marketplace.scenario import load_scenarios
from harness.marketplace.subject import load_subject
from harness.report.junit import junit
from harness.report.terminal import render
from harness.resources import bundled
from harness.verify.orders import Limits
from harness.verify.run import Options, verify
from tests.report.documents import NAMES, document
from tests.report.schemas import altered, fields_of, schema, stamped, validator

DOCS = Path(__file__).parents[2] / "docs" / "run-document.md"


VERIFY = validator("verify")
SCHEDULE = validator("schedule")


@pytest.mark.parametrize("name", ["verify", "schedule"])
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_are_run_documents(name: str) -> None:
    VERIFY.validate(document(name))


def test_what_verify_writes_is_a_run_document_and_can_be_rendered(server: AnyServer, tmp_path: Path) -> None:
    known = load_scenarios(bundled("scenarios"))
    names = ("webhook-cancelled-and-redelivered", "contract-unknown-purchase", "two-top-ups-at-once")
    options = Options(
        load_subject("published", bundled("sql")),
        [known[name] for name in names],
        Limits(schedules=20),
        tmp_path,
        pinned=False,
        replays=2,
    )
    written = json.loads(json.dumps(verify(server, options, lambda *_: None, lambda: None)))
    VERIFY.validate(stamped(written))
    assert written["verdict"] == "violated"
    assert {each["name"] for each in written["skipped"]} == {"two-top-ups-at-once"}
    schedules = sorted(tmp_path.glob("*.json"))
    shown = [each["counterexample"]["file"] for each in written["properties"] if each["counterexample"]]
    assert sorted(shown) == list(map(str, schedules)) != []
    for path in schedules:
        SCHEDULE.validate(json.loads(path.read_text(encoding="utf-8")))
    text = render(written, ascii_only=False)
    for file in shown:
        assert file in text or "," in text
        assert file in junit(written)


OFFENCES: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "another version": (("version",), 3),
    "a verdict without its exit code": (("exit_code",), 0),
    "an unknown verdict": (("properties", 0, "verdict"), "passed"),
    "a property violated without a reason": (("properties", 0, "counterexample"), None),
    "a property that holds after no schedule": (("properties", 1, "schedules"), 0),
    "a property that holds and is broken": (("properties", 1, "violating_schedules"), 3),
    "something exhausted that is opaque": (("scenarios", 2, "opaque"), ["public.f(): written in C"]),
    "something exhausted that hangs": (("scenarios", 2, "hang"), "nobody moves"),
    "a bound of what was sampled": (("scenarios", 0, "preemption_bound"), 2),
    "a share above one": (("scenarios", 1, "miss_bound"), 1.5),
    "a field that nobody knows": (("server", "host"), "db.example"),
    "an unknown event": (("properties", 0, "counterexample", "story", "steps", 8, "events", 0, "kind"), "sleep"),
    "money as a float": (("properties", 0, "counterexample", "story", "start", "workspaces", "A"), 50.0),
}


@pytest.mark.parametrize("offence", OFFENCES)
def test_what_must_not_be_written_is_refused(offence: str) -> None:
    path, value = OFFENCES[offence]
    with pytest.raises(ValidationError):
        VERIFY.validate(altered(document("violated_two"), path, value))


def test_every_part_is_required() -> None:
    whole = document("violated_two")
    for part in whole:
        with pytest.raises(ValidationError):
            VERIFY.validate({name: value for name, value in whole.items() if name != part})


@pytest.mark.parametrize("name", ["verify", "schedule"])
def test_the_docs_explain_every_field(name: str) -> None:
    explained = set(re.findall(r"^\| `([^`]+)`", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE))
    fields = set(fields_of(schema(name)))
    assert fields - explained == set()


def test_the_docs_explain_no_field_that_is_not_there() -> None:
    explained = set(re.findall(r"^\| `([^`]+)`", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert explained - set(fields_of(schema("verify"))) - set(fields_of(schema("schedule"))) == set()
