"""What the statement of a step may read that no step shows: functions without points, and what functions declare."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.db.plan import Plan

Unshown = Callable[[str], str | None]
"""Statement to the text that runs in it and is not shown, empty if there is none; None where that text is not known."""

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_DECLARED = re.compile(r"\bDECLARE\b(.*?)\bBEGIN\b", re.IGNORECASE | re.DOTALL)


def unshown(plan: Plan) -> Unshown:
    """What is not shown of the functions of a plan. One is taken to be called wherever its name has parentheses."""
    texts: dict[str, list[str | None]] = {}
    for item in plan.rewritten:
        texts.setdefault(_name(item.name), []).append(_declared(item.source))
    for identity in (*plan.atomic, *(place.where for place in plan.opaque if place.where.endswith(")"))):
        texts.setdefault(_name(identity), []).append(None)

    def of(statement: str) -> str | None:
        found: list[str] = []
        for name in dict.fromkeys(re.findall(r'(\w+)"?\s*\(', statement.lower())):
            for text in texts.get(name, ()):
                if text is None:
                    return None
                found.append(text)
        return "; ".join(text for text in found if text)

    return of


def _declared(source: str) -> str:
    found = _DECLARED.search(_COMMENT.sub(" ", source))
    return found[1].strip() if found else ""


def _name(identity: str) -> str:
    """``complete`` of ``public.complete(uuid)``."""
    return identity.partition("(")[0].rpartition(".")[2].strip('"').lower()
