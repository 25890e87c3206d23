"""Which statements and branches of the functions under test were executed: the part ``coverage`` of a run document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.db.plan import Plan

Sites = Mapping[str, Any]
"""What there is to be covered, as JSON: ``functions``, each with its statements and branches, and ``not_measured``."""


def sql_coverage(plan: Plan, reached: frozenset[int], migrations: Sequence[Path]) -> dict[str, Any]:
    """Coverage of every function of the plan; ``reached`` is what sessions announced, as ``Site.told_by`` has it.

    A function that nobody called counts like any other. ``migrations`` are the files that its body is looked for in.
    """
    return counted(measured_sites(plan, migrations), reached)


def measured_sites(plan: Plan, migrations: Sequence[Path]) -> dict[str, Any]:
    """Every statement and branch of the plan's functions, for ``counted``."""
    texts = {path.name: path.read_text(encoding="utf-8-sig") for path in migrations}
    sources = {item.name: item.source for item in plan.rewritten}
    return {
        "functions": [{**asdict(each), **place(sources[each.function], texts)} for each in plan.measured],
        "not_measured": [{"function": each.where, "why": each.reason} for each in plan.unmeasured],
    }


def counted(sites: Sites, reached: frozenset[int]) -> dict[str, Any]:
    """Coverage of these sites, of which those were reached that one of ``reached`` tells of."""
    functions = sites["functions"]
    return {
        **_counts({kind: [site for each in functions for site in each[kind]] for kind in KINDS}, reached),
        "functions": [
            {
                **{name: value for name, value in each.items() if name not in KINDS},
                **_counts(each, reached),
                "unreached": list(_unreached(each, reached)),
            }
            for each in functions
        ],
        "not_measured": sites["not_measured"],
    }


KINDS = ("statements", "branches")


def _counts(function: Mapping[str, Any], reached: frozenset[int]) -> dict[str, Any]:
    counts: dict[str, Any] = {}
    for kind in KINDS:
        sites = function[kind]
        covered = sum(site["told_by"] in reached for site in sites)
        counts[kind] = len(sites)
        counts[f"{kind}_covered"] = covered
        counts[f"{kind}_percent"] = round(100 * covered / len(sites), 1) if sites else None
    return counts


def place(source: str, texts: dict[str, str]) -> dict[str, Any]:
    """The last file that has this text, and on which of its lines the text begins; nothing if none has."""
    for name, text in reversed(texts.items()):
        if (offset := text.find(source)) >= 0:
            return {"file": name, "file_line": text.count("\n", 0, offset) + 1}
    return {}


def _unreached(function: Mapping[str, Any], reached: frozenset[int]) -> Iterator[dict[str, Any]]:
    """Its statements, and those branches that are not told already by a statement, in the order of their lines."""
    statements = [("statement", site) for site in function["statements"] if site["told_by"] not in reached]
    told = {site["told_by"] for site in function["statements"]}
    branches = [("branch", site) for site in function["branches"] if site["told_by"] not in reached | told]
    for kind, site in sorted([*statements, *branches], key=lambda each: each[1]["line"]):
        yield {"line": site["line"], "kind": kind, "what": site["what"]}
