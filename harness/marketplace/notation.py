"""Scenarios as JSON: how a scenario that stands in no file travels with its schedule.

An operation is a list of its kind and its fields, ``["Buy", "A", ["L1"], "p"]``; amounts are text, so that they stay
exact. What cannot be read raises ``ValueError`` or what Python raises of its own (KeyError, TypeError, IndexError).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from typing import Any, get_args, get_type_hints

from harness.marketplace.block import Block, Nemesis, Sessions
from harness.marketplace.operations import Operation
from harness.marketplace.scenario import Scenario
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.words.fault import Fault, FaultKind
from harness.words.schedule import Switch

_KINDS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(Operation)}
_ROWS: Mapping[str, type] = {"leads": LeadStart, "purchases": PurchaseStart, "top_ups": TopUpStart}


def write_scenario(scenario: Scenario) -> dict[str, Any]:
    """``scenario`` in values that JSON has."""
    return {
        "name": scenario.name,
        "theory": scenario.theory,
        "start": _write_start(scenario.start),
        "sessions": _write_sessions(scenario.sessions),
        "properties": list(scenario.properties),
        "happened": list(scenario.happened),
        "exercises": {name: list(labels) for name, labels in scenario.exercises.items()},
        "isolation": scenario.isolation,
        "prologue": [
            {"sessions": _write_sessions(block.sessions), "schedule": [list(switch) for switch in block.schedule]}
            for block in scenario.prologue
        ],
    }


def read_scenario(written: Mapping[str, Any]) -> Scenario:
    """The scenario that ``write_scenario`` wrote. Raises ``ScenarioError`` for one that contradicts itself."""
    return Scenario(
        name=_text(written["name"]),
        theory=_text(written["theory"]),
        start=_read_start(written["start"]),
        sessions=_read_sessions(written["sessions"]),
        properties=tuple(map(_text, written["properties"])),
        happened=tuple(map(_text, written["happened"])),
        exercises={name: tuple(map(_text, labels)) for name, labels in written["exercises"].items()},
        isolation=None if written["isolation"] is None else _text(written["isolation"]),
        prologue=tuple(
            Block(
                _read_sessions(block["sessions"]),
                tuple(Switch(int(position), int(session)) for position, session in block["schedule"]),
            )
            for block in written["prologue"]
        ),
    )


def _write_sessions(sessions: Sessions) -> dict[str, Any]:
    return {
        name: {"strikes": program.session, "fault": program.fault.kind.value, "sqlstate": program.fault.sqlstate}
        if isinstance(program, Nemesis)
        else [_write_row(each) for each in program]
        for name, program in sessions.items()
    }


def _read_sessions(written: Mapping[str, Any]) -> Sessions:
    return {
        name: Nemesis(_text(program["strikes"]), Fault(FaultKind(program["fault"]), _text(program["sqlstate"])))
        if isinstance(program, Mapping)
        else tuple(_read_row(_KINDS[kind], values) for kind, *values in program)
        for name, program in written.items()
    }


def _write_start(start: Start) -> dict[str, Any]:
    return {
        "workspaces": {name: str(balance) for name, balance in start.workspaces.items()},
        **{table: {name: _write_row(row)[1:] for name, row in getattr(start, table).items()} for table in _ROWS},
    }


def _read_start(written: Mapping[str, Any]) -> Start:
    rows = {
        table: {name: _read_row(kind, row) for name, row in written[table].items()} for table, kind in _ROWS.items()
    }
    return Start({name: _amount(balance) for name, balance in written["workspaces"].items()}, **rows)


def _write_row(row: Any) -> list[Any]:
    """The name of a dataclass and its values."""
    return [type(row).__name__, *(_write(getattr(row, field.name)) for field in fields(row))]


def _read_row(kind: type, values: list[Any]) -> Any:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    return kind(*(_read(hints[name], value) for name, value in zip(names, values, strict=True)))


def _write(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _read(hint: Any, value: Any) -> Any:
    """``value`` as a field of the type ``hint``: a text, an amount or a tuple of texts, or None where that may be."""
    kinds = get_args(hint) if type(None) in get_args(hint) else (hint,)
    if value is None and type(None) in kinds:
        return None
    if Decimal in kinds:
        return _amount(value)
    if isinstance(value, list) and str not in kinds:
        return tuple(map(_text, value))
    return _text(value)


def _amount(value: Any) -> Decimal:
    try:
        return Decimal(_text(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is no amount") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
