"""What does not settle is a hang, soon enough and with evidence; what is merely slow is not."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engine.execution import Hang
from harness.explore.sparse import Sparse
from harness.explore.strategy import Diverged
from harness.words.schedule import Switch

from .memory_trial import MemoryTrial, Sessions, calls, play, trace


def hang(sessions: Sessions, *switches: tuple[int, int], **options: Any) -> tuple[Hang, MemoryTrial]:
    trial = MemoryTrial(sessions)
    vars(trial).update(options)
    with pytest.raises(Hang) as caught:
        play(trial, Sparse(tuple(Switch(*switch) for switch in switches)))
    return caught.value, trial


def test_a_statement_that_never_ends() -> None:
    found, _ = hang([calls("1 ~"), calls("2")])
    assert found.why == (
        "session 0 has not come to its next scheduling point for 10 s and waits for no session of the run"
    )


def test_the_watchdog_waits_as_long_as_it_was_told() -> None:
    _, trial = hang([calls("~")], hang_after_s=3.0)
    assert 3.0 < trial.stage.monotonic() < 3.1


def test_the_picture_and_the_run_so_far_are_kept() -> None:
    found, _ = hang([calls("+a 1 ~"), calls("+a 2")], (1, 1))
    assert found.picture == "session 0 wants -\nsession 1 wants a"
    assert trace(found.run) == [0, 1, 0]


def test_a_strangers_lock() -> None:
    found, _ = hang([calls("1 ^ 2")])
    assert "waits for no session of the run" in found.why


def test_nobody_stays_frozen() -> None:
    _, trial = hang([calls("+a 1 ~"), calls("+a 2")], (1, 1))
    assert not any(backend.frozen for backend in trial.stage.server.backends)


def test_nobody_stays_frozen_when_a_strategy_gives_up() -> None:
    class GivesUp(Sparse):
        def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
            if position == 2:
                raise Diverged(position, None, enabled)
            return super().choose(position, enabled, current)

    trial = MemoryTrial([calls("+a 1"), calls("+a 2")])
    with pytest.raises(Diverged):
        play(trial, GivesUp((Switch(1, 1),)))
    assert not any(backend.frozen for backend in trial.stage.server.backends)


def test_a_run_without_end() -> None:
    found, _ = hang([calls(" ".join("1" * 200))], max_steps=100)
    assert found.why == "the run has more than 100 steps"


def test_a_stretch_of_slow_steps_is_none() -> None:
    trial = MemoryTrial([calls(" ".join("1" * 30))], latency=lambda: 1.0)
    trial.hang_after_s = 5.0
    assert play(trial, Sparse(()))[0].steps == 31


def test_a_wait_is_none_however_long_the_owner_takes() -> None:
    trial = MemoryTrial([calls("+a 1 2"), calls("+a 3")], latency=lambda: 1.0)
    trial.hang_after_s = 5.0
    assert play(trial, Sparse((Switch(1, 1),)))[0].steps == 5
