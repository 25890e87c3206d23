"""To be refined."""
from __future__ import annotations
from collections.abc import Mapping
from typing import Any
from harness.report.lanes import lanes


def render(document: Mapping[str, Any], *, width: int = 100, colour: bool = False) -> str:
    """The whole result of a verification as text."""
    lines = [f"{document['subject']['name']}: {document['verdict']}"]
    for each in document["properties"]:
        lines.append(f"  {each['id']:26}{each['verdict']:18}{each['schedules']:>8}")
    for each in document["properties"]:
        if found := each["counterexample"]:
            lines += ["", f"{each['id']}: {found['why']}", "", lanes(found["story"], width=width, guilty=found["guilty"], colour=colour), f"harness replay {found['file']}"]
        elif "why" in each:
            lines += ["", f"{each['id']}: {each['why']}"]
    return "\n".join(lines)
