"""Calls, from the step that starts their first round trip to the step in which their client is told."""

from __future__ import annotations

from typing import Any

from harness.engine.execution import Execution
from harness.engine.recorder import Recorder
from harness.explore.sparse import Sparse
from harness.words.history import Call, History, Result, Status
from harness.words.schedule import Switch

from .memory_stage import MemoryStage, Trip, at_once
from .memory_trial import MemoryTrial, Sessions, calls, play


def history(sessions: Sessions, *switches: tuple[int, int]) -> History:
    return play(MemoryTrial(sessions), Sparse(tuple(Switch(*switch) for switch in switches)))[1]


def places(made: History) -> list[tuple[int, int, int | None]]:
    return [(call.session, call.invoked, call.returned) for call in made.calls]


def test_a_call_lasts_from_its_first_step_to_its_last() -> None:
    assert places(history([calls("1 2"), calls("3")], (1, 1))) == [(0, 0, 4), (1, 1, 2)]


def test_a_call_is_not_invoked_before_its_session_takes_a_step() -> None:
    made = history([calls("1", "2"), calls("3")], (2, 1))
    assert places(made) == [(0, 0, 1), (1, 2, 3), (0, 4, 5)]
    assert made.calls[1].precedes(made.calls[2])


def test_a_call_of_two_round_trips_is_one_call() -> None:
    assert places(history([[[["1"], ["2"]]]])) == [(0, 0, 3)]


def test_calls_are_in_the_order_of_their_invocation() -> None:
    made = history([calls("1", "1"), calls("2", "2")], (0, 1), (1, 0))
    assert [call.invoked for call in made.calls] == sorted(call.invoked for call in made.calls)
    assert made.calls[0].session == 1


def test_who_is_woken_returns_in_the_step_that_woke_it() -> None:
    assert places(history([calls("+a 1"), calls("+a")], (1, 1))) == [(0, 0, 2), (1, 1, 2)]


def test_the_result_is_what_the_client_was_told() -> None:
    assert [call.result for call in history([calls("!40001", "1")]).calls] == [
        Result(Status.FAILED, "40001"),
        Result(Status.OK),
    ]


def test_the_operation_is_kept() -> None:
    assert [call.operation for call in history([calls("1", "2")]).calls] == [[["1"]], [["2"]]]


async def answer(_connection: object, operation: str) -> Result:
    if operation == "ask":
        await Trip(["1"])
    return Result(Status.OK, operation)


def record(*operations: str) -> list[tuple[str, int, int | None]]:
    recorder = Recorder()
    stage = MemoryStage([recorder.program(0, operations, answer)], latency=at_once)
    Execution(stage).run(Sparse(()), recorder)
    return [(call.operation, call.invoked, call.returned) for call in recorder.calls()]


def test_a_call_without_a_round_trip_happens_in_the_step_before() -> None:
    assert record("ask", "know", "ask") == [("ask", 0, 1), ("know", 1, 1), ("ask", 2, 3)]


def test_a_call_without_a_round_trip_can_be_the_first_and_the_last() -> None:
    assert [operation for operation, _, _ in record("know", "ask", "know")] == ["know", "ask", "know"]


def test_a_call_without_an_answer_is_left_out() -> None:
    recorder = Recorder()
    program: Any = recorder.program(0, ["ask"], answer)(None)
    program.send(None)
    recorder.begins(0, 0)
    assert recorder.calls() == ()
    program.close()


def test_clear_forgets_the_run() -> None:
    recorder = Recorder()
    stage = MemoryStage([recorder.program(0, ["ask"], answer)], latency=at_once)
    recorder.begins(0, 0)
    recorder.clear()
    stage.actors[0].advance(1)
    recorder.begins(1, 0)
    recorder.settled(1)
    assert recorder.calls() == ()


def test_calls_are_values() -> None:
    made: tuple[Call, ...] = history([calls("1")]).calls
    assert made == history([calls("1")]).calls
