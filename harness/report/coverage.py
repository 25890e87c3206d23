"""How much of the subject's SQL was executed, and which lines were not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.page import Page


def coverage(paper: Page, document: Mapping[str, Any]) -> list[str]:
    """The totals, then a line for each function of which something was not reached; nothing without functions."""
    sql = document["coverage"]["sql"]
    lines = []
    if sql["functions"]:
        told = f"{share(sql, 'statements')}, {share(sql, 'branches')} of the subject's functions in PL/pgSQL"
        lines += paper.wrap(told, 2, 4)
    called = [each for each in sql["functions"] if each["statements_covered"]]
    for each in called:
        if each["unreached"]:
            lines += paper.wrap(f"{_bare(each['function'])} never came to {_places(each)}", 2, 4)
    lines += _listed(paper, "never called", [each for each in sql["functions"] if each not in called])
    for why in dict.fromkeys(each["why"] for each in sql["not_measured"]):
        lines += _listed(paper, f"not measured ({why})", [each for each in sql["not_measured"] if each["why"] == why])
    return lines


def share(counts: Mapping[str, Any], what: str) -> str:
    """``103 of 129 statements (79.8 %)``; ``what`` is statements or branches."""
    percent = counts[f"{what}_percent"]
    covered = f"{counts[f'{what}_covered']:,} of {counts[what]:,}"
    return f"{covered} {what}" + (f" ({percent:g}\xa0%)" if percent is not None else "")


def _listed(paper: Page, what: str, functions: list[Mapping[str, Any]]) -> list[str]:
    return paper.wrap(f"{what}: {', '.join(_bare(each['function']) for each in functions)}", 2, 4) if functions else []


def _places(function: Mapping[str, Any]) -> str:
    """Lines, those first on which a statement was not reached; the others have a branch that was never taken."""
    lines: dict[str, list[int]] = {"statement": [], "branch": []}
    for each in function["unreached"]:
        lines[each["kind"]].append(each["line"])
    statements = dict.fromkeys(lines["statement"])
    branches = [line for line in dict.fromkeys(lines["branch"]) if line not in statements]
    parts = [("line", list(statements)), ("a branch of line", branches)]
    return " and ".join(f"{word}{'s' if len(on) > 1 else ''} {', '.join(map(str, on))}" for word, on in parts if on)


def _bare(function: str) -> str:
    """Without the types of its arguments, which are long and seldom needed."""
    return function.partition("(")[0]
