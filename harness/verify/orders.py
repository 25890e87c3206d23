"""What is asked of a verification, and what each scenario's campaign reports back. All of it crosses processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.marketplace.scenario import Scenario
from harness.marketplace.subject import Subject
from harness.requests.seats import MakeApp
from harness.verify.certificate import Explored
from harness.verify.strikes import Strikes
from harness.words.recording import Recording


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop: after ``seconds`` of exploring, or after ``schedules`` (shared evenly by the scenarios).

    ``explaining_s`` is for making small what was found (``harness.verify.explain``); None: as long as it takes.
    """

    seconds: float | None = None
    schedules: int | None = None
    explaining_s: float | None = None

    @property
    def entry(self) -> dict[str, Any]:
        """As a run document has them."""
        more = {} if self.explaining_s is None else {"explaining_seconds": self.explaining_s}
        return {"seconds": self.seconds, "schedules": self.schedules, **more}


Hurried = Callable[[Scenario], bool]
"""Whether a scenario is hurried (``harness.verify.turns``)."""


def nobody(_: Scenario) -> bool:
    """None is hurried before the others."""
    return False


def names_of(planned: Sequence[tuple[Scenario, int | None]], first: Hurried) -> frozenset[str]:
    """The names of those that are hurried."""
    return frozenset(scenario.name for scenario, _ in planned if first(scenario))


@dataclass(frozen=True, slots=True)
class Order:
    """A worker's share: scenarios with the number of schedules that each may run (None: no limit).

    ``core`` is the processor to share with its backends, None to leave the choice to the system. ``explaining_s`` is
    that of ``Limits``, ``first`` names scenarios that are hurried (``harness.verify.turns``).
    """

    dsn: str
    subject: Subject
    local: bool
    core: int | None
    scenarios: tuple[tuple[Scenario, int | None], ...]
    seconds: float | None
    seed: int
    isolation: str
    replays: int
    api: MakeApp | None = None
    """How the purchase API is made through which operations are asked for; None: as the subject's [calls] say."""
    explaining_s: float | None = None
    first: frozenset[str] = frozenset()
    sweep_bound: int | None = None
    """Set for a fault sweep: scenarios without a number of schedules are run exhaustively up to so many preemptions; of
    the others that number is drawn."""


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A minimal run that breaks a property, and how faithfully it was made again.

    ``story`` is the run told step by step (``harness.verify.story``), for people.
    """

    recording: Recording
    guilty: tuple[tuple[str, str], ...]
    found_after_schedules: int
    found_after_s: float
    shrink_tries: int
    replays: int
    reproduced: int
    story: Mapping[str, Any]
    explained: Mapping[str, Any] = field(default_factory=dict)
    """What a run document says besides: ``because``, ``serial_orders``, ``serial_orders_more``, where there is any."""


@dataclass(frozen=True, slots=True)
class ScenarioReport:
    """What one campaign did and saw."""

    name: str
    isolation: str
    strategy: str
    explored: Explored
    schedules: int
    distinct: int
    steps: int
    steps_median: float
    distinct_outcomes: int
    unseen_outcomes: float
    """Estimated chance that one more schedule ends in an outcome not seen yet (Good-Turing)."""
    opaque: tuple[str, ...]
    seconds: float
    digest: str
    labels: Mapping[str, int]
    """In how many schedules each label was seen."""
    missing: Mapping[str, tuple[str, ...]]
    """Property to the labels without which it was not exercised; empty when it was."""
    not_applicable: Mapping[str, str]
    """Property to the reason why it says nothing here."""
    violating: Mapping[str, int]
    """Property to the number of schedules that broke it."""
    counterexamples: Mapping[str, Counterexample] = field(default_factory=dict)
    """Of properties that it breaks; of all of them, unless there was no time for more than one run of each property."""
    hang: str = ""
    diverged: str = ""
    strikes: Strikes = field(default_factory=Strikes)
    """What was struck, in a scenario with a nemesis."""


@dataclass(frozen=True, slots=True)
class ShareReport:
    """What came of the scenarios of one or several shares.

    ``reached`` is what their sessions executed of the subject's functions, as ``harness.db.plan.Site`` tells it.
    """

    scenarios: Sequence[ScenarioReport]
    reached: frozenset[int]
