"""Scenarios that are one thing smaller: without one block, session, operation, lead of a list, or row of the start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from harness.marketplace.block import Block, Nemesis, Sessions
from harness.marketplace.operations import MarkSold, Operation, Purchasing, Validate
from harness.marketplace.scenario import Scenario, ScenarioError
from harness.marketplace.start import Start
from harness.words.schedule import Switch


def smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Every scenario that lacks one thing of this one: great things first, and of equals the last.

    Of the greatest there are many at once: half the prologue, all rows that no operation needs.

    Whoever loses their only operation goes, and who cancels somebody goes with them. What would be no scenario is left
    out: a purchase that is paid must be made by somebody. A row of the start can go when no operation names it: without
    it, one that does would ask for something else.
    """
    for change in _changes(scenario):
        try:
            found = replace(scenario, **change)
        except ScenarioError:
            continue
        if found != scenario:
            yield found


def _changes(scenario: Scenario) -> Iterator[dict[str, Any]]:
    """What to put in the place of which field."""
    blocks = scenario.prologue
    if len(blocks) > 2:
        half = len(blocks) // 2
        yield from ({"prologue": part} for part in ((), blocks[half:], blocks[:half]))
    for number in reversed(range(len(blocks))):
        yield {"prologue": (*blocks[:number], *blocks[number + 1 :])}
    for name in reversed([*scenario.sessions]):
        yield {"sessions": without_session(scenario.sessions, name)}
    for sessions in _without_one_operation(scenario.sessions):
        yield {"sessions": sessions}
    for number, block in reversed([*enumerate(blocks)]):
        for lighter in _lighter(block):
            yield {"prologue": (*blocks[:number], lighter, *blocks[number + 1 :])}
    named = _named_by(scenario.operations)
    yield {"start": _needed(scenario.start, named)}
    for start in _without_one_row(scenario.start, named):
        yield {"start": start}


def without_session(sessions: Sessions, gone: str) -> Sessions:
    """The other sessions, without those that strike the one that goes."""
    return {
        name: program
        for name, program in sessions.items()
        if name != gone and not (isinstance(program, Nemesis) and program.session == gone)
    }


def _without_one_operation(sessions: Sessions) -> Iterator[Sessions]:
    """Of sessions that have more than one; then without one of the leads that an operation is about."""
    for name, program in reversed([*sessions.items()]):
        if isinstance(program, Nemesis):
            continue
        for number in reversed(range(len(program))):
            if len(program) > 1:
                yield {**sessions, name: (*program[:number], *program[number + 1 :])}
        for number, operation in enumerate(program):
            for shorter in _without_one_lead(operation):
                yield {**sessions, name: (*program[:number], shorter, *program[number + 1 :])}


def _without_one_lead(operation: Operation) -> Iterator[Operation]:
    """The same, about fewer leads, if it has a list of several."""
    if isinstance(operation, Validate | Purchasing | MarkSold):
        for leads in _shorter(operation.leads or ()):
            yield replace(operation, leads=leads)


def _shorter(leads: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for number in reversed(range(len(leads))) if len(leads) > 1 else ():
        yield (*leads[:number], *leads[number + 1 :])


def _lighter(block: Block) -> Iterator[Block]:
    """A block without one of its sessions, operations or switches. Without all of them it would be no block."""
    for name in reversed([*block.sessions]):
        if left := without_session(block.sessions, name):
            numbers = {number: [*left].index(name) for number, name in enumerate(block.sessions) if name in left}
            schedule = [Switch(at, numbers[session]) for at, session in block.schedule if session in numbers]
            yield Block(left, tuple(schedule) if len(left) > 1 else ())
    for sessions in _without_one_operation(block.sessions):
        yield Block(sessions, block.schedule)
    for number in reversed(range(len(block.schedule))):
        yield Block(block.sessions, (*block.schedule[:number], *block.schedule[number + 1 :]))


def _needed(start: Start, named: frozenset[str]) -> Start:
    """The rows that operations name, and those that these rows name."""
    top_ups = {name: row for name, row in start.top_ups.items() if name in named}
    purchases = {name: row for name, row in start.purchases.items() if name in named}
    leads = {lead for row in purchases.values() for lead in row.leads} | named
    workspaces = {row.workspace for row in purchases.values()} | {row.workspace for row in top_ups.values()} | named
    return Start(
        {name: balance for name, balance in start.workspaces.items() if name in workspaces},
        {name: row for name, row in start.leads.items() if name in leads},
        purchases,
        top_ups,
    )


def _without_one_row(start: Start, named: frozenset[str]) -> Iterator[Start]:
    for table in ("top_ups", "purchases", "leads", "workspaces"):
        rows = getattr(start, table)
        for gone in reversed([*rows]):
            if gone not in named:
                yield replace(start, **{table: {name: row for name, row in rows.items() if name != gone}})
    for name, purchase in start.purchases.items():
        for leads in _shorter(purchase.leads):
            yield replace(start, purchases={**start.purchases, name: replace(purchase, leads=leads)})


def _named_by(operations: tuple[Operation, ...]) -> frozenset[str]:
    """Every word in an operation, be it a name or not."""
    values = [getattr(operation, each.name) for operation in operations for each in fields(operation)]
    return frozenset(
        word for value in values for word in (value if isinstance(value, tuple) else (value,)) if isinstance(word, str)
    )
