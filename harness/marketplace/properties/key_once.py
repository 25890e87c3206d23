"""key-once: an idempotency key has one effect and one answer, and it is never stuck.

A key belongs to a workspace and to a request. Who sends the same request again with it is told what was told the first
time; who sends another one is refused; who is told to wait must have somebody to wait for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.marketplace.operations import BuyCredits, Keyed, Request
from harness.marketplace.properties.facts import POSSIBLE, Facts, brief
from harness.marketplace.properties.property import Judgement, Property
from harness.words.history import Call, Status

IN_PROGRESS, REUSED = "key_in_progress", "key_reused"
SERVED = ("completed", "refunded")


def judge(facts: Facts) -> Judgement:
    asked = requests(facts)
    for (workspace, key, _), calls in sorted(asked.items()):
        guilty = (("workspace", workspace), ("key", key))
        judgements = (judge_effects(facts, calls), judge_answers(facts, calls), judge_refusals(calls))
        for why in (why for judgement in judgements for why in judgement):
            yield f"key {key} of {workspace} {why}", guilty
    for workspace, key, status in facts.final.keys or ():
        if status == "processing":
            guilty = (("workspace", workspace), ("key", key))
            yield f"key {key} of {workspace} is stuck: it is still in progress, and all requests are over", guilty


def judge_effects(facts: Facts, calls: Sequence[Call]) -> Iterator[str]:
    """At most one of the purchases, or top-ups, that came with a key was made."""
    made = [name_of(call.operation) for call in calls if took_effect(facts, call.operation)]
    if len(made) > 1:
        yield f"had {len(made)} effects: {' and '.join(made)}"


def judge_answers(facts: Facts, calls: Sequence[Call]) -> Iterator[str]:
    """All that were answered sent the same request, and were told the same of a purchase of their own."""
    answered = [call for call in calls if call.result.status is Status.OK]
    if len({call.operation.body for call in answered}) > 1:
        yield f"was answered for different requests: {' and '.join(brief(call.operation) for call in answered)}"
        return
    answers = {told(call): None for call in answered}
    if len(answers) > 1:
        yield f"was answered in {len(answers)} ways: {' and '.join(map(spelt, answers))}"
    for call in answered:
        claim = facts.claims.get(call.result.get("purchase", ""))
        if claim is not None and claim.workspace != call.operation.workspace:
            yield f"was answered with the purchase {call.result['purchase']} of {claim.workspace}"
        elif call.result.get("replayed") and not any(may_have_worked(other, call) for other in calls):
            yield f"was answered as if it had come before, and it had not: {brief(call.operation)}"


def judge_refusals(calls: Sequence[Call]) -> Iterator[str]:
    """In progress is what somebody else is at, reused what another request was answered for, or may have been."""
    for call in calls:
        others = [other for other in calls if other is not call and not call.precedes(other)]
        if call.result.code == IN_PROGRESS:
            if not any(other.overlaps(call) and other.result.code != IN_PROGRESS for other in others):
                yield f"is stuck: {brief(call.operation)} was told to wait for it, and nobody else is at it"
        elif call.result.code == REUSED and not any(
            other.operation.body != call.operation.body and (other.overlaps(call) or other.result.status in POSSIBLE)
            for other in others
        ):
            yield f"was refused to {brief(call.operation)}, and no other request has it"


def requests(facts: Facts) -> dict[tuple[str, str, str], list[Call]]:
    """Workspace, key and route to the requests that came with it."""
    found: dict[tuple[str, str, str], list[Call]] = {}
    for call in facts.attempts(Request, BuyCredits):
        operation = call.operation
        found.setdefault((operation.workspace, operation.key, type(operation).__name__), []).append(call)
    return found


def name_of(operation: Keyed) -> str:
    """What it is to make."""
    return operation.purchase if isinstance(operation, Request) else operation.top_up


def took_effect(facts: Facts, operation: Keyed) -> bool:
    """With credits a purchase that was not completed binds nobody; all else has its effect as soon as it is there."""
    if isinstance(operation, BuyCredits):
        return operation.top_up in dict(facts.final.top_ups or ())
    status = facts.status.get(operation.purchase)
    return status in SERVED if operation.method == "credits" else status is not None


def may_have_worked(other: Call, call: Call) -> bool:
    return other is not call and not call.precedes(other) and other.result.status in POSSIBLE


def told(call: Call) -> tuple[tuple[str, object], ...]:
    """An answer without the note that it is one of before."""
    return tuple(sorted(pair for pair in call.result.value if pair[0] != "replayed"))


def spelt(answer: tuple[tuple[str, object], ...]) -> str:
    return ", ".join(f"{name} {value}" for name, value in answer)


KEY_ONCE = Property(
    "key-once",
    "an idempotency key has one effect and one answer, and is never stuck",
    judge,
    needs=("purchases",),
    concerns=lambda facts: bool(facts.attempts(Request, BuyCredits)),
)
