"""What a load run is to be: a scenario, and how much of it for how long."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from harness.load.nemesis import Strikes
from harness.marketplace.subject import Subject
from harness.words.errors import UsageError

LEADS_PER_SECOND = 3000
"""More than the clients of one machine can buy; in an open model, twice the rate are enough."""
LEADS_MAX = 2_000_000
EVENTS_PER_SECOND = 300
"""Purchases and top-ups that wait for their webhook, for a storm."""
EVENTS_MAX = 500_000
"""A process that has paid for all of its share begins again: those are replays then."""
STEPS = 8


class Scenario(NamedTuple):
    """A file of locustfiles/, and what it needs."""

    name: str
    about: str
    """The first line of its docstring."""
    file: Path
    users: int = 32
    direct: bool = False
    """Its users ask the database, and need no API."""
    events: bool = False
    """Its users deliver webhooks of purchases that wait for them from the start."""
    own: tuple[str, ...] = ()
    """The properties that it is there for: a run that does not put them to the test says nothing."""


_NEEDS: Mapping[str, Mapping[str, int | bool | tuple[str, ...]]] = {
    "marketplace_mix": {"own": ("sold-once", "charged-once", "no-overdraft")},
    "hot_lead": {"users": 100, "own": ("one-winner", "sold-once")},
    "hot_workspace": {"own": ("no-overdraft", "charged-once", "conservation")},
    "step_load": {"users": 256, "own": ("sold-once", "charged-once")},
    "sql_functions": {"direct": True, "own": ("sold-once", "charged-once")},
    "webhook_storm": {"events": True, "users": 16, "own": ("webhook-idempotent", "paid-is-served")},
    "soak": {"events": True, "own": ("sold-once", "charged-once", "webhook-idempotent", "no-growth")},
}
ALWAYS = ("struck",)
"""What every run has to put to the test, if it was asked for."""


def scenario_files(folder: Path) -> list[Path]:
    """The load scenarios in a folder, by name."""
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def find_scenario(name_or_path: str, folder: Path) -> Scenario:
    """A scenario of ours by name (``hot-lead`` or ``hot_lead``), or a file of somebody's. Raises ``UsageError``."""
    known = {path.stem: path for path in scenario_files(folder)}
    name = name_or_path.replace("-", "_")
    path = known.get(name)
    if path is None:
        path = Path(name_or_path)
        if path.suffix != ".py" or not path.is_file():
            close = get_close_matches(name, known, 1)
            raise UsageError(
                "unknown-load",
                f"there is no load scenario {name_or_path!r}",
                expected=f"{', '.join(known)}, or the path of a locustfile",
                remedy=f"did you mean {close[0]}?" if close else "",
            )
    about = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
    needs = _NEEDS.get(path.stem, {}) if path in known.values() else {"events": True}
    return Scenario(path.stem, about, path, **needs)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Plan:
    """One load run. ``rate`` 0 is the closed model; ``host`` an API that somebody else runs."""

    scenario: Scenario
    subject: Subject
    users: int
    seconds: float
    rate: float = 0.0
    pattern: str = "poisson"
    processes: int = 1
    workers: int = 0
    port: int = 5557
    strikes: Strikes = field(default_factory=Strikes)
    host: str | None = None
    before: bool = False
    """The API goes the way that was before the functions, on a database that has them."""
    seed: int = 0

    @property
    def required(self) -> tuple[str, ...]:
        """The properties without which the run has not been what it was to be."""
        return (*self.scenario.own, *ALWAYS)

    @property
    def leads(self) -> int:
        """How many are on sale at the start."""
        per_second = 2 * self.rate if self.rate else LEADS_PER_SECOND
        return min(LEADS_MAX, max(1000, int(per_second * self.seconds)))

    @property
    def events(self) -> int:
        """How many purchases, and how many top-ups, wait for their webhook."""
        if not self.scenario.events:
            return 0
        return min(EVENTS_MAX, max(1000, int((self.rate or EVENTS_PER_SECOND) * self.seconds)))
