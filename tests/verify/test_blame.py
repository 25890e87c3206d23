"""Who is told to try again because of a fault needs nobody in the way; who is told so otherwise does."""

from __future__ import annotations

import pytest

from harness.verify.blame import blame_faults
from harness.words.history import Call, Event, EventKind, Result, Status

BUSY, RAISED = Result(Status.BUSY, "40001"), Result(Status.REFUSED, "raised")


def fault(step: int, detail: str, session: int = 0) -> Event:
    return Event(step, 1, EventKind.FAULT, detail, (session,))


@pytest.mark.parametrize("detail", ["error 40001", "lock-timeout"])
@pytest.mark.parametrize("result", [BUSY, RAISED])
def test_the_call_that_was_struck_failed(detail: str, result: Result) -> None:
    calls = [Call(0, "a", 0, 3, result), Call(0, "b", 4, 7, result), Call(2, "c", 0, 9, result)]
    statuses = [call.result.status for call in blame_faults(calls, [fault(2, detail)])]
    assert statuses == [Status.FAILED, result.status, result.status]


@pytest.mark.parametrize("event", [fault(2, "cancel"), fault(9, "error 40001"), fault(2, "error 40001", session=2)])
def test_nothing_else_is_blamed_on_a_fault(event: Event) -> None:
    calls = (Call(0, "a", 0, 3, BUSY),)
    assert blame_faults(calls, [event]) == calls


def test_an_answer_in_words_of_the_contract_stays_as_it_is() -> None:
    calls = (Call(0, "a", 0, 3, Result(Status.REFUSED, "lead_unavailable")), Call(0, "b", 3, 5, Result(Status.OK)))
    assert blame_faults(calls, [fault(3, "error 40001")]) == calls
