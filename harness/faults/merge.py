"""The parts of a fault sweep, merged: the run document that the whole would have given, but for its times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.faults.document import FORMAT, judgement
from harness.verify.merge import all_of_one, merged_property, merged_server
from harness.words.verdict import Verdict

Document = Mapping[str, Any]


def merged_faults(documents: Sequence[Document]) -> dict[str, Any]:
    """The document of the whole sweep. Raises ``UsageError`` where these are not all parts of one, each once."""
    shards = all_of_one(documents, FORMAT)
    first = shards[0]
    whole = first["shard"]
    place = {name: number for number, name in enumerate(whole["scenarios"])}
    order = {name: number for number, name in enumerate(whole["operations"])}
    scenarios = sorted((each for shard in shards for each in shard["scenarios"]), key=lambda each: place[each["name"]])
    operations = (each for shard in shards for each in shard["operations"])
    properties = [merged_property(each["id"], shards, scenarios, place) for each in first["properties"]]
    unstruck = [fault for fault in first["faults"] if all(fault in shard["never_struck"] for shard in shards)]
    return {
        **{name: value for name, value in first.items() if name not in ("shard", "run")},
        **judgement([Verdict(each["verdict"]) for each in properties], unstruck, part=False),
        "interrupted": any(shard["interrupted"] for shard in shards),
        "server": merged_server(shards),
        "seconds": max(shard["seconds"] for shard in shards),
        "never_struck": unstruck,
        **{name: sum(shard[name] for shard in shards) for name in ("histories", "steps", "strikes", "leaks")},
        **{name: _added([shard[name] for shard in shards]) for name in ("single", "pairs", "beside", "unknown")},
        "operations": sorted(operations, key=lambda each: order[each["name"]]),
        "properties": properties,
        "scenarios": scenarios,
    }


def _added(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Each number of all parts together; what was ``wanted`` is wanted of the whole."""
    return {name: counts[0][name] if name == "wanted" else sum(each[name] for each in counts) for name in counts[0]}
