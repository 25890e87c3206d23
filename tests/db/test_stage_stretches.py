"""Stretches on a real server: the events, decisions and points are those of single steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.db.any_server import AnyServer
from harness.explore.exhaustive import Exhaustive
from harness.explore.random_walk import RandomWalk
from harness.explore.sparse import Sparse
from harness.words.schedule import Switch

from .bank import Bank, Sessions, told

TAKE = "SELECT take(1, 10)"


@pytest.fixture(scope="module")
def bank(module_database: str, server: AnyServer) -> Iterator[Bank]:
    with Bank(module_database, local=server.local) as bank:
        bank.define("""
            CREATE FUNCTION walk(p_steps integer) RETURNS integer LANGUAGE plpgsql AS $$
            BEGIN
              FOR i IN 1 .. p_steps LOOP
                IF harness.point(100 + i) THEN END IF;
              END LOOP;
              RETURN p_steps;
            END $$;
            CREATE FUNCTION stumble() RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
              IF harness.point(1) THEN END IF;
              IF harness.point(2) THEN END IF;
              RAISE division_by_zero;
            END $$;
        """)
        yield bank


class SingleExhaustive(Exhaustive):
    """Never says how long it would go on."""

    def stretch(self, _position: int, _enabled: tuple[int, ...], _chosen: int) -> int:
        return 0


class SingleWalk(RandomWalk):
    """Never says how long it would go on."""

    def stretch(self, _position: int, _enabled: tuple[int, ...], _chosen: int) -> int:
        return 0


SCENARIOS: dict[str, Sessions] = {
    "several operations": [["SELECT walk(2)", "SELECT walk(1)"], ["SELECT walk(2)"]],
    "a lock in the middle": [[TAKE], ["SELECT walk(1)", TAKE]],
    "an error in the middle": [["SELECT stumble()", "SELECT walk(1)"], ["SELECT walk(2)"]],
    "a lock between two": [["SELECT move(1, 2)"], ["SELECT move(3, 2)"]],
    "a deadlock": [["SELECT move(1, 2)"], ["SELECT move(2, 1)"]],
    "a cancel": [["SELECT walk(3)"], ["SELECT walk(1)"], 0],
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_run_is_that_of_single_steps(bank: Bank, name: str) -> None:
    trial = bank.trial(SCENARIOS[name])
    quick, single = Exhaustive(bound=1), SingleExhaustive(bound=1)
    while quick.begin():
        assert single.begin()
        made = trial.run(quick)
        quick.end(made[0].decisions)
        assert trial.run(single) == made
        single.end(made[0].decisions)
    assert not single.begin()


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_walk_is_that_of_single_steps(bank: Bank, name: str) -> None:
    trial = bank.trial(SCENARIOS[name])
    quick, single = RandomWalk(4), SingleWalk(4)
    for _ in range(30):
        assert quick.begin()
        assert single.begin()
        assert trial.run(quick) == trial.run(single)


def test_a_walk_longer_than_a_stretch_is_told_whole(bank: Bank) -> None:
    run, history = bank.trial([["SELECT walk(200)"], ["SELECT walk(1)"]]).play()
    assert run.points == [-1, *range(101, 301), -1, 101]
    assert history.calls[0].returned == 200


def test_a_gate_left_far_ahead_by_a_stretch_does_not_stop_the_next_run(bank: Bank) -> None:
    trial = bank.trial([["SELECT walk(2)"], ["SELECT walk(2)"]])
    for _ in range(5):
        for switches in ((), ((1, 1), (2, 0), (3, 1))):
            run, _ = trial.play(*switches)
            assert run.steps == 6


def test_a_stretch_is_stopped_by_a_lock_and_by_the_next_point(bank: Bank) -> None:
    asked = []

    class Counting(Sparse):
        def choose(self, position: int, enabled: tuple[int, ...], current: int | None) -> int:
            asked.append(position)
            return super().choose(position, enabled, current)

    run, _ = bank.trial([[TAKE], ["SELECT walk(3)", TAKE]]).run(Counting((Switch(2, 1),)))
    assert told(run) == [(7, 1, "wait", 0), (9, 1, "wake", 0)]
    assert asked == [0, 2, 6, 8, 9, 10]
