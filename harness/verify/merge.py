"""The parts of a verification, merged: the run document that the whole would have given, but for its times.

Times are those of parts that ran beside one another: the longest counts, and the workers of all are added up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.verify.coverage import counted
from harness.verify.document import FORMAT, judgement, size, unproved
from harness.words.errors import UsageError
from harness.words.verdict import Certificate, Verdict

Document = Mapping[str, Any]

_GRAVEST_FIRST = (
    Verdict.VIOLATED,
    Verdict.NONDETERMINISTIC,
    Verdict.HANG,
    Verdict.HOLDS,
    Verdict.NOT_EXERCISED,
    Verdict.NOT_APPLICABLE,
)
"""The verdict of the whole is the first of these that a part has: what holds needs one part that put it to the test."""


def merged(documents: Sequence[Document]) -> dict[str, Any]:
    """The document of the whole. Raises ``UsageError`` where these are not all parts of one verification, each once."""
    shards = all_of_one(documents, FORMAT)
    first = shards[0]
    whole = first["shard"]
    place = {name: number for number, name in enumerate(whole["scenarios"])}
    scenarios = sorted((each for shard in shards for each in shard["scenarios"]), key=lambda each: place[each["name"]])
    # What is judged without scenarios (who may call) comes last.
    ids = dict.fromkeys([*whole["properties"], *(each["id"] for shard in shards for each in shard["properties"])])
    properties = [
        # What no scenario names is judged once.
        merged_property(each, shards, scenarios, place) if each in whole["properties"] else _told(each, shards)[0]
        for each in ids
    ]
    verdicts = [Verdict(each["verdict"]) for each in properties]
    certificates = [Certificate(each["certificate"]) for each in scenarios]
    reached = frozenset[int]().union(*(shard["shard"]["reached"] for shard in shards))
    return {
        **{name: value for name, value in first.items() if name not in ("shard", "run")},
        **judgement(verdicts, certificates, strict=first["strict"], part=False),
        "interrupted": any(shard["interrupted"] for shard in shards),
        "server": merged_server(shards),
        "seconds": max(shard["seconds"] for shard in shards),
        **{name: sum(shard[name] for shard in shards) for name in ("schedules", "distinct_schedules")},
        "properties": properties,
        "scenarios": scenarios,
        "coverage": {"sql": counted(whole["sites"], reached)},
    }


def merged_server(shards: Sequence[Document]) -> dict[str, Any]:
    """Where the parts were run, as one entry."""
    servers = [shard["server"] for shard in shards]
    return {
        **servers[0],
        "workers": sum(each["workers"] for each in servers),
        **{name: all(each[name] for each in servers) for name in ("local", "pinned")},
    }


def all_of_one(documents: Sequence[Document], wanted: str) -> list[Document]:
    """The parts in their order. ``UsageError`` where they are not of one run in the ``wanted`` format, each once."""
    if not documents:
        raise UsageError("no-shards", "there is nothing to merge", expected="the documents of all shards")
    for document in documents:
        if document.get("format") != wanted or not document.get("shard"):
            raise UsageError(
                "not-a-shard",
                f"one of the documents is no shard ({document.get('format', 'no run document')})",
                expected=f"shards in the format {wanted}",
                remedy="name the documents of runs with --shard alone",
            )
    first = documents[0]
    for document in documents[1:]:
        if differing := [name for name, value in _common(first).items() if _common(document)[name] != value]:
            what = differing[0]
            raise UsageError(
                "other-shards",
                f"shard {_name(first)} and shard {_name(document)} are not of one run: they differ in {what}",
                expected="the same subject, scenarios, seed, limits, options, server version and harness",
                remedy="run all shards again with the same command",
            )
    of = first["shard"]["of"]
    indexes = [document["shard"]["index"] for document in documents]
    wrong = [f"{index}/{of} is missing" for index in range(1, of + 1) if index not in indexes]
    wrong += [f"{index}/{of} is there twice" for index in sorted(set(indexes)) if indexes.count(index) > 1]
    if wrong:
        raise UsageError(
            "incomplete-shards", f"shard {', '.join(wrong)}", expected=f"each of the {of} shards exactly once"
        )
    return sorted(documents, key=lambda document: int(document["shard"]["index"]))


def _common(document: Document) -> dict[str, Any]:
    """What the parts of one run have in common, by the name under which a difference is told."""
    shard = document["shard"]
    return {
        "the number of shards": shard["of"],
        "the subject": document["subject"],
        "the version of the harness": document.get("run", {}).get("harness"),
        "the version of PostgreSQL": document.get("server", {}).get("version"),
        **{f"the {name}": document.get(name) for name in ("seed", "limits", "base")},
        "--strict": document.get("strict"),
        **{f"the {name}": shard.get(name) for name in ("isolation", "scenarios", "operations")},
        "what can be covered": shard.get("sites"),
    }


def _name(document: Document) -> str:
    return f"{document['shard']['index']}/{document['shard']['of']}"


def _told(property_id: str, shards: Sequence[Document]) -> list[Document]:
    """What the parts say of a property."""
    return [each for shard in shards for each in shard["properties"] if each["id"] == property_id]


def merged_property(
    property_id: str, shards: Sequence[Document], scenarios: Sequence[Document], place: Mapping[str, int]
) -> dict[str, Any]:
    """One property of the whole, from what the parts say of it and from what each scenario saw.

    ``scenarios`` are the entries of all, in their order, which ``place`` tells by name.
    """
    told = _told(property_id, shards)
    given = {Verdict(each["verdict"]) for each in told}
    verdict = next((each for each in _GRAVEST_FIRST if each in given), Verdict.NOT_APPLICABLE)
    found = [each["counterexample"] for each in told if each["counterexample"]]
    return {
        "id": property_id,
        "verdict": verdict.value,
        "scenarios": sorted((name for each in told for name in each["scenarios"]), key=lambda name: place[name]),
        **{name: sum(each[name] for each in told) for name in ("schedules", "violating_schedules")},
        "counterexample": min(found, key=lambda each: (*size(each), place[each["scenario"]]), default=None),
        **unproved(verdict, property_id, scenarios),
    }
