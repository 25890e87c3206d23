"""What grows is told from what goes up and down, and memory is that of real processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from harness.load.growth import GAP_S_MAX, gap, growths, slope
from harness.load.look import Look
from harness.load.watch import Watch, family, own_bytes

MB = 1_000_000


def looks(
    seconds: int,
    *,
    connections: Callable[[int], int] = lambda _: 8,
    locks: Callable[[int], int] = lambda _: 40,
    memory: Callable[[int], float] = lambda _: 100.0,
) -> list[Look]:
    return [
        Look(float(at), connections(at), locks(at), int(memory(at) * MB), int(memory(at) * MB)) for at in range(seconds)
    ]


def grown(found: list[Look]) -> dict[str, bool | None]:
    return {each.name: each.grows for each in growths(found)}


def test_what_stays_does_not_grow() -> None:
    random = Random(1)
    steady = looks(
        600,
        connections=lambda at: 8 if at % 50 else 5,
        locks=lambda _: random.randint(0, 80),
        memory=lambda _: 100 + random.random() * 5,
    )
    assert grown(steady) == {"connections": False, "locks": False, "server_bytes": False, "api_bytes": False}


def test_what_is_forgotten_grows() -> None:
    leaking = looks(
        600, connections=lambda at: 8 + at // 100, locks=lambda at: 40 + at // 4, memory=lambda at: 100 + at * 0.02
    )
    assert grown(leaking) == {"connections": True, "locks": True, "server_bytes": True, "api_bytes": True}


def test_less_than_one_in_a_hundred_a_minute_is_no_growth() -> None:
    assert not grown(looks(600, memory=lambda at: 100 + at * 0.015))["api_bytes"]


def test_a_warm_up_is_not_judged() -> None:
    warming = looks(600, connections=lambda at: min(8, at // 10), memory=lambda at: min(100, 20 + at))
    assert True not in grown(warming).values()


def test_a_crash_in_the_middle_is_no_growth() -> None:
    def crashed(value: int) -> Callable[[int], int]:
        return lambda at: 0 if 300 <= at < 305 else value

    assert True not in grown(looks(600, connections=crashed(8), locks=crashed(40))).values()


def test_a_short_run_says_nothing() -> None:
    found = grown(looks(30, memory=lambda at: 100.0 * (1 + at)))
    assert set(found.values()) == {None}
    assert growths([]) == []


def test_what_was_not_seen_is_not_told() -> None:
    assert grown([Look(float(at), 8, 40, None, None) for at in range(600)]).keys() == {"connections", "locks"}


def test_the_slope_does_not_care_for_outliers() -> None:
    points = [(float(at), 2.0 * at if at % 10 else 10_000.0) for at in range(100)]
    assert slope(points) == pytest.approx(2)
    assert slope([(0.0, 1.0)]) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="NOT RUN: only Linux has /proc")
def test_the_memory_of_a_process_and_its_children_is_seen() -> None:
    child = "x = b'x' * 30_000_000; input()"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        try:
            deadline = monotonic() + 20
            while (own_bytes(family(parent.pid)) or 0) < 30_000_000:
                assert monotonic() < deadline
            assert len(family(parent.pid)) == 2
            assert (own_bytes([parent.pid]) or 0) < 30_000_000
        finally:
            assert parent.stdin is not None
            parent.stdin.close()
    assert own_bytes([parent.pid]) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="NOT RUN: only Linux has /proc")
@pytest.mark.parametrize("when", ["before it is listed", "after it was listed"])
def test_a_process_that_ends_while_it_is_looked_at_is_no_failure(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Path.iterdir
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:

        def vanishing(path: Path) -> Iterator[Path]:
            if "before" in when:
                process.kill()
                process.wait()
            threads = list(listed(path))
            process.kill()
            process.wait()
            return iter(threads)

        monkeypatch.setattr(Path, "iterdir", vanishing)
        assert family(process.pid) == [process.pid]
        assert process.returncode is not None
        assert own_bytes(family(process.pid)) is None


def test_a_failure_of_the_watch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.load.watch.EVERY_S", 0.001)

    def fails() -> int | None:
        raise LookupError("nobody foresaw it")

    with Watch("host=/nowhere", fails, ()) as watch:
        deadline = monotonic() + 20
        while watch.failure is None:
            assert monotonic() < deadline
            time.sleep(0.01)
    assert repr(watch.failure) == "LookupError('nobody foresaw it')"
    # Too short a run to say anything of.
    assert watch.gap() == ""


def test_looks_that_stop_before_the_end_of_a_long_run_are_told() -> None:
    seen = looks(100)
    assert gap(seen, 0.0, 100.0) == ""
    assert gap(seen, 0.0, 99.0 + GAP_S_MAX) == ""
    told = gap(seen, 0.0, 300.0, LookupError("gone"))
    assert told == "nothing was looked at in the last 201 s of 300 s (LookupError: gone)"
    assert gap([], 0.0, 300.0).startswith("nothing was looked at in the last 300 s")
    assert gap([], 0.0, 30.0) == ""
