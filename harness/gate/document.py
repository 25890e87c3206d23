"""The run document of a gate, as versioned JSON. Its schema is ``harness/report/gate.schema.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.gate.part import Part, gravest
from harness.gate.touched import NOTHING, Touched
from harness.verify.shards import Shard
from harness.words.errors import ExitCode
from harness.words.verdict import OF_CODE

FORMAT = "harness-gate"
VERSION = 1


def gate_document(
    parts: Sequence[Part],
    *,
    subject: Mapping[str, Any],
    files: Mapping[str, str],
    changed: Sequence[Mapping[str, Any]],
    meanings: Mapping[str, str],
    theories: Mapping[str, str],
    base: str | None,
    budget_s: float,
    seconds: float,
    seed: int,
    shard: Shard | None,
    interrupted: bool,
    scenario_files: str | None = None,
    touched: Touched = NOTHING,
) -> dict[str, Any]:
    """The whole document. ``base`` is the commit that the change began at, where it is known.

    ``files`` is where the files of the subject's SQL lie, by their names; ``changed`` are those that were touched.
    ``scenario_files`` is the folder that was given for scenarios; scenarios that ``touched`` concerns were hurried.
    ``meanings`` of properties and ``theories`` of scenarios and operations are kept of what is broken.
    """
    entries = [part.entry for part in parts]
    broken = [
        (each["id"], each["counterexample"]["scenario"])
        for entry in entries
        for each in (entry["document"] or {}).get("properties", ())
        if each.get("counterexample")
    ]
    return {
        "format": FORMAT,
        "version": VERSION,
        "subject": dict(subject),
        **judgement(entries, part=shard is not None),
        "interrupted": interrupted,
        "seed": seed,
        "base": base,
        "budget_seconds": round(budget_s, 3),
        "seconds": round(seconds, 3),
        "files": dict(files),
        "changed": [dict(each) for each in changed],
        "meanings": {id: meanings[id] for id, _ in broken if id in meanings},
        "theories": {
            name: theories[name.partition("~")[0]] for _, name in broken if name.partition("~")[0] in theories
        },
        "parts": entries,
        **({"hurried": touched.entry} if touched.functions else {}),
        **({} if scenario_files is None else {"scenario_files": scenario_files}),
        **({} if shard is None else {"shard": {"index": shard.index, "of": shard.of}}),
    }


def judgement(parts: Sequence[Mapping[str, Any]], *, part: bool) -> dict[str, Any]:
    """``verdict`` and ``exit_code``: the gravest of all parts. Where none of them ran, nothing was shown.

    A ``part`` of a whole cannot say that all holds.
    """
    codes = [ExitCode(each["exit_code"]) for each in parts if each["exit_code"] is not None]
    code = gravest(codes) if codes else ExitCode.NOT_EXERCISED
    word = "unbroken" if part and code is ExitCode.HOLDS else OF_CODE[code]
    return {"verdict": word, "exit_code": int(code)}
