"""A scenario: which operations run on which sessions, from which start, and what must hold.

Scenarios are Python files that read as a specification: the module's docstring is the theory, and every module-level
``Scenario`` is one case of it. They name no table and no function, so each runs unchanged on every subject.
"""

from __future__ import annotations

import hashlib
import runpy
import traceback
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from harness.marketplace.block import Block, Nemesis, Sessions, operations_of, outline
from harness.marketplace.model import EFFECTS
from harness.marketplace.names import NOWHERE
from harness.marketplace.operations import (
    Buy,
    BuyCredits,
    Checkout,
    CompleteCredit,
    CompleteStripe,
    Deliver,
    MarkSold,
    Operation,
    Purchasing,
    Read,
    Refund,
    Request,
    Sweep,
    TopUp,
    UpdatePrice,
    Validate,
)
from harness.marketplace.start import PurchaseStart, Start
from harness.words.errors import UsageError
from harness.words.fault import CANCEL
from harness.words.history import EventKind, History, Status

ISOLATIONS = ("read committed", "repeatable read", "serializable")
METHODS = ("credits", "stripe")
WEBHOOKS = tuple(EFFECTS)


class ScenarioError(ValueError):
    """A scenario contradicts itself or names what nobody declared."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One case. A mistake in it (a name that nobody declared, say) is a ``ScenarioError`` when it is made.

    ``theory`` says in one or two sentences what could go wrong. ``sessions`` maps the name of each client to its
    program; sessions are numbered in this order. ``properties`` are the ids that must hold after every schedule.

    ``happened`` are the labels (see ``labels``) each of which must be seen at least once over a campaign, or the
    properties of the scenario count as not exercised; ``a|b`` asks for either. ``exercises`` replaces ``happened``
    for single properties, where another thing must have been seen for them to mean anything.

    ``isolation`` is the isolation level of every transaction; None leaves it to the server (READ COMMITTED).

    ``prologue`` are blocks that run before the sessions, one after the other, each always under its own schedule: how a
    long history came to the point at which it is worth exploring.
    """

    name: str
    theory: str
    start: Start
    sessions: Sessions
    properties: tuple[str, ...]
    happened: tuple[str, ...]
    exercises: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    isolation: str | None = None
    prologue: tuple[Block, ...] = ()

    def __post_init__(self) -> None:
        if mistakes := [*_mistakes(self)]:
            raise ScenarioError(f"scenario {self.name!r}: {'; '.join(mistakes)}")

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Every operation: those of the prologue, then session by session."""
        before = (operation for block in self.prologue for operation in block.operations)
        return (*before, *operations_of(self.sessions))

    @property
    def digest(self) -> str:
        """Twelve hex digits over what decides a run (start, prologue, sessions, isolation), the same on every machine.

        A saved schedule carries it, so that it is not replayed on another scenario of the same name.
        """
        start = self.start
        tables = [tuple(table.items()) for table in (start.workspaces, start.leads, start.purchases, start.top_ups)]
        decisive: tuple[object, ...] = (tables, outline(self.sessions), self.isolation)
        if self.prologue:
            decisive += (tuple(block.outline for block in self.prologue),)
        return hashlib.sha256(repr(decisive).encode()).hexdigest()[:12]

    def exercised_by(self, property_id: str) -> tuple[str, ...]:
        """The labels that must have been seen for this property to have been exercised here."""
        return self.exercises.get(property_id, self.happened)


def labels(history: History) -> Counter[str]:
    """What happened in a run, in words that ``Scenario.happened`` can ask for, each with its count.

    - ``overlap``: two operations of different sessions ran at the same time
    - ``ok``, ``refused``, ``busy``, ``failed``, ``unknown``, alone, with the operation (``ok:Buy``) and with the
      refusal's word or the SQLSTATE (``refused:lead_unavailable``, ``failed:57014``)
    - ``replayed``, ``replayed:Request`` and so on: an answer said that the work had been done before
    - ``wait``, ``deadlock``, ``cancelled``: the server had a session wait, broke a deadlock, cancelled a statement
    - ``fault:terminate``, ``fault:error 40001`` and so on: a nemesis found something to strike
    - ``ended:refund_required`` and so on: a purchase ended in a status in which it had not started
    """
    seen: Counter[str] = Counter()
    calls = history.calls
    for index, call in enumerate(calls):
        status, result = call.result.status.value, call.result
        seen[status] += 1
        seen[f"{status}:{type(call.operation).__name__}"] += 1
        if result.code:
            seen[f"{status}:{result.code}"] += 1
        if result.status is Status.OK and (result.get("already_completed") or result.get("replayed")):
            seen["replayed"] += 1
            seen[f"replayed:{type(call.operation).__name__}"] += 1
        for other in calls[index + 1 :]:
            if other.session != call.session and call.overlaps(other):
                seen["overlap"] += 1
    for event in history.events:
        if event.kind is EventKind.FAULT:
            seen[f"fault:{event.detail}"] += 1
        if word := _EVENT_LABELS.get((event.kind, event.detail)):
            seen[word] += 1
    before = history.start.purchases
    for name, status in history.final.purchases:
        if name not in before or before[name].status != status:
            seen[f"ended:{status}"] += 1
    return seen


_EVENT_LABELS = {
    (EventKind.WAIT, ""): "wait",
    (EventKind.DEADLOCK, ""): "deadlock",
    (EventKind.FAULT, str(CANCEL)): "cancelled",
}


def missing(wanted: Sequence[str], seen: Collection[str]) -> tuple[str, ...]:
    """The labels of ``wanted`` that were not seen. ``a|b`` is seen when either is."""
    return tuple(label for label in wanted if not any(word in seen for word in label.split("|")))


def load_scenarios(directory: Path) -> dict[str, Scenario]:
    """Every scenario of a directory's ``*.py`` files, by name, in order of file and then of definition.

    Raises ``UsageError``, with file and line, for a file that does not run, a scenario with a mistake in it, a
    name used twice, and a directory without scenarios.
    """
    found: dict[str, Scenario] = {}
    origin: dict[str, Path] = {}
    for path in sorted(directory.glob("*.py")):
        for scenario in _scenarios_in(path):
            if scenario.name in found:
                raise UsageError(
                    "duplicate-scenario",
                    f"{path} defines the scenario {scenario.name!r}, and so does {origin[scenario.name]}",
                    expected="unique names",
                    remedy="rename one of them",
                )
            found[scenario.name], origin[scenario.name] = scenario, path
    if not found:
        raise UsageError(
            "no-scenarios",
            f"no scenario was found in {directory}",
            expected="Python files with module-level Scenario objects",
            remedy="name another directory",
        )
    return found


def _scenarios_in(path: Path) -> list[Scenario]:
    try:
        names = runpy.run_path(str(path))
    except SyntaxError as error:
        _reject(path, error.lineno, error)
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        _reject(path, lines[-1] if lines else None, error)
    unique = {id(value): value for value in names.values() if isinstance(value, Scenario)}
    return list(unique.values())


def _reject(path: Path, line: int | None, error: Exception) -> NoReturn:
    place = f"{path}:{line}" if line else str(path)
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    raise UsageError(
        "bad-scenario",
        f"{place}: {type(error).__name__}: {text}",
        expected="a Python file that defines Scenario objects",
        remedy="mend that line",
    ) from error


def _mistakes(scenario: Scenario) -> Iterator[str]:
    """What is wrong with a scenario, each as one clause."""
    if not scenario.sessions:
        yield "it has no sessions"
    for label in ("name", "theory", "properties", "happened"):
        if not getattr(scenario, label):
            yield f"its {label} is empty"
    if scenario.isolation not in (None, *ISOLATIONS):
        yield f"isolation {scenario.isolation!r} is none of {', '.join(ISOLATIONS)}"
    for property_id in scenario.exercises:
        if property_id not in scenario.properties:
            yield f"exercises names {property_id!r}, which is not among its properties"
    for sessions in (*(block.sessions for block in scenario.prologue), scenario.sessions):
        for session, program in sessions.items():
            if isinstance(program, Nemesis):
                target = sessions.get(program.session)
                if target is None or isinstance(target, Nemesis):
                    yield f"{session!r} strikes {program.session!r}, which is no session that executes statements"
            elif not program:
                yield f"session {session!r} does nothing"
    yield from _undeclared(scenario.start, scenario.operations)


def _undeclared(start: Start, operations: Sequence[Operation]) -> Iterator[str]:
    """Names that nobody declared, and purchases that are made twice.

    Unknown leads are allowed where a client can send any id (validate, mark), and so are the purchase of a credit
    completion and ``NOWHERE``: refusing them is part of the contract.
    """
    made = [operation.purchase for operation in operations if isinstance(operation, Purchasing)]
    declared = {
        "workspace": {*start.workspaces, "seller"},
        "lead": set(start.leads),
        "purchase": {*start.purchases, *made, NOWHERE},
        "top-up": set(start.top_ups),
        "webhook": set(WEBHOOKS),
        "event's subject": {*start.purchases, *made, NOWHERE, *start.top_ups},
        "payment method": set(METHODS),
    }
    for name, count in (Counter(made) + Counter(start.purchases.keys())).items():
        if count > 1:
            yield f"purchase {name!r} is made twice"
    named: list[tuple[object, list[tuple[str, str]]]]
    named = [(row, _names_of_purchase(row)) for row in start.purchases.values()]
    named += [(row, [("workspace", row.workspace)]) for row in start.top_ups.values()]
    named += [(operation, _names_of(operation)) for operation in operations]
    for speaker, names in named:
        for kind, name in names:
            if name not in declared[kind]:
                yield f"{type(speaker).__name__} names the {kind} {name!r}, which nobody declared"


def _names_of_purchase(row: PurchaseStart) -> list[tuple[str, str]]:
    return [("workspace", row.workspace), *(("lead", lead) for lead in row.leads)]


def _names_of(operation: Operation) -> list[tuple[str, str]]:
    """The names that must be declared for an operation to make sense, each with what it names."""
    match operation:
        case Validate(workspace, _) | CompleteCredit(_, workspace, _):
            return [("workspace", workspace)]
        case Buy(workspace, _, _) | Checkout(workspace, _, _):
            return [("workspace", workspace)]
        case Request(workspace, _, _, _, method):
            return [("workspace", workspace), ("payment method", method)]
        case BuyCredits(workspace):
            return [("workspace", workspace)]
        case Read(workspace, purchase):
            return [("workspace", workspace), ("purchase", purchase)]
        case CompleteStripe(purchase) | Refund(purchase):
            return [("purchase", purchase)]
        case Deliver(_, kind, purchase):
            return [("webhook", kind), ("event's subject", purchase)]
        case TopUp(top_up):
            return [("top-up", top_up)]
        case UpdatePrice(lead, _):
            return [("lead", lead)]
        case MarkSold() | Sweep():
            return []
