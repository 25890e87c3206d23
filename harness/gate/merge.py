"""Merged documents: those of a verification, of a fault sweep, or of a gate that ran in shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.faults.merge import merged_faults
from harness.gate.document import FORMAT, judgement
from harness.gate.part import FAULTS, VERIFY
from harness.verify.merge import all_of_one
from harness.verify.merge import merged as merged_verification
from harness.words.errors import ExitCode

Document = Mapping[str, Any]


def merged(documents: Sequence[Document]) -> dict[str, Any]:
    """The document of the whole, in the format of its parts. ``UsageError`` where they are not all parts of one run."""
    match documents[0].get("format") if documents else None:
        case "harness-gate":
            return _merged_gate(documents)
        case "harness-faults":
            return merged_faults(documents)
        case _:
            return merged_verification(documents)


def _merged_gate(documents: Sequence[Document]) -> dict[str, Any]:
    shards = all_of_one(documents, FORMAT)
    first = shards[0]
    parts = [_part([_named(shard, each["part"]) for shard in shards]) for each in first["parts"]]
    return {
        **{name: value for name, value in first.items() if name not in ("shard", "run")},
        **judgement(parts, part=False),
        "interrupted": any(shard["interrupted"] for shard in shards),
        "seconds": max(shard["seconds"] for shard in shards),
        # What is broken in one shard alone is explained there alone.
        **{
            explained: {name: text for shard in shards for name, text in shard[explained].items()}
            for explained in ("meanings", "theories")
        },
        "parts": parts,
    }


def _named(shard: Document, name: str) -> Document:
    return next(each for each in shard["parts"] if each["part"] == name)


def _part(told: Sequence[Document]) -> dict[str, Any]:
    """One part of the whole: that of the first shard, or where every shard has a document those documents merged."""
    first = dict(told[0])
    if first["part"] not in (VERIFY, FAULTS):
        return first
    failed = next((each for each in told if each["status"] == "not_run"), None)
    if failed is not None:
        # What the others have found is in their own documents; without this one nobody can say what the whole is.
        broken = next((each for each in told if each["exit_code"] == ExitCode.VIOLATED), None)
        return dict(broken or failed)
    if first["document"] is None:
        return first
    documents = [each["document"] for each in told]
    document = merged_faults(documents) if first["part"] == FAULTS else merged_verification(documents)
    return {
        **first,
        **{name: document[name] for name in ("verdict", "exit_code")},
        "seconds": max(each["seconds"] for each in told),
        "document": document,
    }
