"""What the values of options are, and how they are written."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, Token
from cyclopts.validators import Number

from harness.words.errors import UsageError

if TYPE_CHECKING:
    from harness.verify.shards import Shard


def whole(_type: Any, tokens: Sequence[Token]) -> int:
    """An integer as it is written: 1.5 is none, and is not rounded."""
    (token,) = tokens
    try:
        return int(token.value)
    except ValueError:
        where = "" if token.source == "cli" else f" ({token.source})"
        raise ValueError(f"{token.value!r} is no whole number{where}") from None


Whole = Annotated[int, Parameter(converter=whole)]
Natural = Annotated[int, Parameter(converter=whole, validator=Number(gte=0))]
Positive = Annotated[int, Parameter(converter=whole, validator=Number(gte=1))]

SubjectName = Annotated[
    str, Parameter(help="reference, published, before, planted:NAME, or the path of a folder with a subject.toml")
]
ScenarioFiles = Annotated[Path | None, Parameter(help="directory with scenarios of your own, beside the bundled ones")]
Database = Annotated[
    str,
    Parameter(help="where PostgreSQL comes from: auto, embedded, embedded-17, local or container"),
]
Dsn = Annotated[
    str | None,
    Parameter(help="a server to use instead; only databases that we make and drop there are touched"),
]
Reports = Annotated[Path, Parameter(help="directory for the run document, which harness report shows")]
REPORTS = Path("reports")
"""Where they go when nobody says where."""
Isolation = Literal["read committed", "repeatable read", "serializable"]
Through = Annotated[
    Literal["calls", "api"],
    Parameter(
        help="how operations are asked for: as the subject's calls, or as requests to the purchase API, in process"
    ),
]
ShardText = Annotated[
    str | None, Parameter(help="only this part of the scenarios, 2/3 is the second of three, to be merged")
]
Strategy = Literal["exhaustive", "mixture", "random", "urw", "pct"]


def seconds(text: str, option: str = "--budget") -> float:
    """``90``, ``90s``, ``5m``, ``1h`` in seconds. Raises ``UsageError``, which names the option."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h)?\s*", text, re.ASCII)
    if not found or float(found[1]) <= 0:
        raise UsageError("bad-budget", f"{option} {text!r} is no duration", expected="60s, 5m or 1h")
    return float(found[1]) * {None: 1, "s": 1, "m": 60, "min": 60, "h": 3600}[found[2]]


def part(text: str | None) -> Shard | None:
    """``2/3`` is the second of three shards. Raises ``UsageError``."""
    from harness.verify.shards import Shard  # not above: every command has options, and few have shards

    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text, re.ASCII)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError("bad-shard", f"--shard {text!r} is no part of a whole", expected="1/3, for example")
    return Shard(int(found[1]), int(found[2]))


def place(dsn: str | None, database: str) -> str:
    """Which server; an empty DSN is a variable that was not set, not a wish for another server."""
    if dsn is not None and not dsn.strip():
        raise UsageError("empty-dsn", "--dsn is empty", expected="a DSN", remedy="leave --dsn out for a server of ours")
    return dsn or database


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
