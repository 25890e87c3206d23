"""Run documents of comparisons, made from rounds that are made up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

from harness.compare.document import compare_document
from harness.compare.rounds import Course
from harness.compare.run import Options
from harness.compare.verdict import Round, judge, shared
from harness.compare.version import Version
from harness.marketplace.subject import load_subject
from harness.resources import bundled

SCHEMA = Draft202012Validator(json.loads(files("harness.report").joinpath("compare.schema.json").read_text("utf-8")))
REFERENCE = load_subject("reference", bundled("sql"))
CAUSE = {
    "kind": "lock",
    "function": "f(uuid)",
    "line": 3,
    "statement": "SELECT 1",
    "text": "f line 3 is <new>: SELECT 1",
}


def document(
    measured: Mapping[str, Sequence[Round]],
    *,
    strict: bool = False,
    machine: str = "0123456789ab",
    local: bool = True,
    reasons: Mapping[str, str] | None = None,
    interrupted: bool = False,
) -> dict[str, Any]:
    """The document of a run in which each operation had these rounds; it is valid."""
    courses = []
    for operation, seen in measured.items():
        times = {side: [400_000, 500_000] for side in ("base", "candidate")} if seen else {}
        reason = (reasons or {}).get(operation, "")
        verdict = judge(seen, shared(len(measured))) if seen else None
        courses.append(Course(operation, len(seen), list(seen), times, verdict, reason))
    made = compare_document(
        Options(Version("main:reference", REFERENCE, "a" * 40), Version("reference", REFERENCE), 30, strict=strict),
        courses,
        leads=50_000,
        server={"version": "18.6", "local": local, "counted": True, "machine": machine},
        functions={"buy": ["create_lead_purchase", "complete_credit_lead_purchase"], "read": ["api_read_purchase"]},
        causes={each.operation: [CAUSE] for each in courses if each.verdict and each.verdict.word == "slower"},
        waits={"buy": {"base": 310.0, "candidate": 420.5, "control": 300.0}},
        no_waits="the run was interrupted",
        seconds=4.2,
        interrupted=interrupted,
    )
    found: dict[str, Any] = json.loads(json.dumps(made, allow_nan=False))
    SCHEMA.validate(found)
    return found
