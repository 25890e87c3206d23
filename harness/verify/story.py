"""A run told step by step: who did what where, who waited for whom, what came of it. Plain data, rendered elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

from harness.db.plan import Plan
from harness.engine.execution import Run
from harness.marketplace.scenario import Scenario
from harness.words.history import Call, EventKind, History, Result
from harness.words.stage import CLIENT_POINT, FAULT_POINT


def tell(scenario: Scenario, plan: Plan, run: Run, history: History) -> dict[str, Any]:
    """The story of a run of ``scenario``.

    ``before`` are the operations of the prologue with their answers, where there is one.
    """
    story = tell_run(list(scenario.sessions), plan, run, history)
    if before := [call for call in history.calls if call.invoked < 0]:
        story["before"] = list(_prologue(scenario, before))
    return story


def tell_run(names: Sequence[str], plan: Plan, run: Run, history: History) -> dict[str, Any]:
    """``sessions`` (their names), ``steps`` (each with session, place, statement and events), ``start``, ``final``."""
    points = {point.id: point for point in plan.points}
    steps = []
    for number, (decision, point) in enumerate(zip(run.decisions, run.points, strict=True)):
        session = decision.chosen
        call = _call_at(history, session, number)
        step: dict[str, Any] = {"step": number, "session": names[session], "events": []}
        if point == FAULT_POINT:
            step["where"] = "fault"
            if sent := " ".join(run.statements.get(number, "").split()):
                step["statement"] = sent
        elif point == CLIENT_POINT:
            step["where"] = "client"
            step["statement"] = " ".join(run.statements.get(number, "").split())
        else:
            place = points[point]
            step["where"] = f"{place.function}:{place.line}"
            step["statement"] = place.sql
            if sent := " ".join(run.statements.get(number, "").split()):
                step["sent"] = sent
        if call is not None and call.invoked == number:
            step["invokes"] = str(call.operation)
        if decision.current is not None and decision.current != session and decision.current in decision.enabled:
            step["preempts"] = names[decision.current]
        steps.append(step)
    for event in run.events:
        told: dict[str, Any] = {"kind": event.kind.value, "session": names[event.session]}
        if event.detail:
            told["detail"] = event.detail
        if event.peers:
            told["peers"] = [names[peer] if 0 <= peer < len(names) else "another client" for peer in event.peers]
        steps[event.step]["events"].append(told)
    for call in history.calls:
        if call.invoked >= 0 and call.returned is not None:
            answer = {
                "kind": EventKind.RETURN.value,
                "session": names[call.session],
                "detail": tell_result(call.result),
            }
            steps[call.returned]["events"].append(answer)
    return {
        "sessions": list(names),
        "steps": steps,
        "start": plain(history.start),
        "final": plain(history.final),
    }


def _prologue(scenario: Scenario, calls: Sequence[Call]) -> Iterator[dict[str, Any]]:
    """The blocks before the sessions, in order: whether they ran at once, and what was asked and answered in each."""
    left = iter(calls)
    for block in scenario.prologue:
        names = list(block.sessions)
        told = [next(left) for _ in block.operations]
        yield {
            "at_once": len(block.sessions) > 1,
            "calls": [
                {"session": names[call.session], "operation": str(call.operation), "answer": tell_result(call.result)}
                for call in told
            ],
        }


def tell_result(result: Result) -> str:
    """``ok (balance=40.00)``, ``refused lead_unavailable``."""
    values = ", ".join(f"{name}={_short(value)}" for name, value in result.value)
    return " ".join(part for part in (result.status.value, result.code, f"({values})" if values else "") if part)


def plain(value: Any) -> Any:
    """As JSON can hold it; money stays exact as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        if value and all(isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], str) for part in value):
            return {name: plain(part) for name, part in value}
        return [plain(part) for part in value]
    return str(value) if isinstance(value, Decimal) else value


def _call_at(history: History, session: int, step: int) -> Call | None:
    """The call that a session is in at a step: the last one, should one end in the step in which the next begins."""
    for call in reversed(history.calls):
        if call.session == session and call.invoked <= step and (call.returned is None or step <= call.returned):
            return call
    return None


def _short(value: Any) -> str:
    return "[" + " ".join(map(str, value)) + "]" if isinstance(value, tuple) else str(value)
