"""Documents of gates, made of the examples of their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.gate.document import gate_document
from harness.gate.part import NAMES, TESTS, VERIFY, Part, Status
from harness.verify.shards import Shard
from tests.report.documents import document

BASE = "0123456789abcdef0123456789abcdef01234567"


def ran(name: str, found: Mapping[str, Any]) -> Part:
    """A part that took longer than it was given, with its document."""
    return Part(name, Status.RAN, "", 2.0, 3.0, {key: value for key, value in found.items() if key != "run"})


def suite(code: int = 0, *lines: str) -> Part:
    """The tests, ended like that."""
    word = {0: "holds", 1: "violated", 5: "not_exercised", 3: "could_not_run"}[code]
    told = {"format": "tests", "command": "pytest -q", "verdict": word, "exit_code": code, "ended": code}
    return Part(TESTS, Status.RAN, "", 45.0, 1.5, {**told, "last": list(lines) or ["== 3 passed in 0.1s =="]})


def left(name: str, why: str = "") -> Part:
    """A part that had nothing to do."""
    return Part(name, Status.LEFT_OUT, why or f"--without {name}")


def failed(name: str, why: str = "Locust is not installed [no-locust]") -> Part:
    """A part that was to run and could not."""
    return Part(name, Status.NOT_RUN, why, 2.0, 0.1)


def gate_of(
    *parts: Part, shard: Shard | None = None, changed: Sequence[Mapping[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """A gate whose parts are these, the others being left out."""
    given = {part.name: part for part in parts}
    return gate_document(
        [given.get(name) or left(name) for name in NAMES],
        **{
            "subject": {"name": "published", "digest": "0123456789ab"},
            "files": {"0002_functions.sql": "sql/published/migrations/0002_functions.sql"},
            "changed": changed,
            "meanings": {"sold-once": "a lead is sold once"},
            "theories": {"two-buyers-one-lead": "Both could get it."},
            "base": BASE,
            "budget_s": 90,
            "seconds": 71.23456,
            "seed": 3,
            "shard": shard,
            "interrupted": False,
            **more,
        },
    )


def verified(name: str) -> Part:
    """A verification that is one of the examples."""
    return ran(VERIFY, document(name))
