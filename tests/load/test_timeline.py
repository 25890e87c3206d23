"""A run in stretches of its time: each answer in its own, a stall at those who met it, and no more than can be read."""

from __future__ import annotations

from typing import Any

import pytest

from harness.load.figures import figures_of
from harness.load.look import Look, looks_document
from harness.load.sample import Sample
from harness.load.timeline import ANSWERS_WANTED, BUCKETS_MAX, WIDTHS_S, buckets_for, per_group, timeline
from harness.words.history import Status


def sample(invoked: float, returned: float | None, status: Status = Status.OK, **fields: Any) -> Sample:
    told: dict[str, Any] = {"client": "c0", "operation": "buy", "intended": invoked, "key": f"{invoked}"} | fields
    return Sample(invoked=invoked, returned=returned, status=status, **told)


@pytest.mark.parametrize(
    ("seconds", "answers", "width", "number"),
    [
        (0.0, 1, 0.25, 1),
        (5.0, 50_000, 0.25, 20),
        (30.0, 1_000_000, 0.25, 120),
        (60.0, 1_000_000, 0.5, 120),
        (30.0, 300, 1, 30),
        (600.0, 90_000, 5, 120),
        (86_400.0, 13_000_000, 900, 96),
        (604_800.0, 13_000_000, 7200, 84),
    ],
)
def test_buckets_are_as_fine_as_they_say_something(seconds: float, answers: int, width: float, number: int) -> None:
    found = buckets_for(seconds, answers)
    assert (found.seconds, found.number) == (width, number)
    assert found.number <= BUCKETS_MAX
    assert found.number * found.seconds >= seconds
    if width in WIDTHS_S[1:] and found.number > 40:
        assert answers / found.number >= ANSWERS_WANTED


def test_nothing_done_has_no_buckets() -> None:
    assert timeline(figures_of([])) == {"bucket_seconds": None, "buckets": []}


def test_answers_are_counted_when_they_came_and_latencies_stand_where_they_began() -> None:
    """A stall of a second and a half from 100 on: who was to come at 100.5 waited a second for a client, then sent."""
    stalled = sample(100.0, 101.5)
    late = sample(101.5, 101.6, Status.REFUSED, code="lead_sold", http=409, intended=100.5, client="c1")
    cut_off = sample(101.8, None, Status.UNKNOWN, client="c2")
    lost = sample(101.9, 102.0, Status.UNKNOWN, code="try_again", http=503, client="c3")
    found = timeline(figures_of([stalled, late, cut_off, lost]))
    assert found["bucket_seconds"] == 0.25
    buckets = {bucket["at"]: bucket for bucket in found["buckets"]}
    assert [at for at, bucket in buckets.items() if bucket["statuses"]] == [1.5, 1.75]
    assert buckets[1.5]["statuses"] == {"ok": 1, "refused": 1}
    assert buckets[1.5]["per_second"] == 8
    assert buckets[1.5]["refusals"] == {"lead_sold": 1}
    assert buckets[1.75]["statuses"] == {"unknown": 2}
    assert buckets[1.75]["refusals"] == {}
    assert (buckets[0.0]["closed_ms"]["p50"], buckets[0.0]["open_ms"]["max"]) == (1500, 1500)
    assert buckets[0.5]["open_ms"] == {"answers": 1, "p50": 1100, "p90": 1100, "p99": 1100, "max": 1100}
    assert buckets[0.5]["closed_ms"]["answers"] == 0
    assert buckets[1.5]["closed_ms"]["p50"] == pytest.approx(100)
    assert buckets[0.0]["operations"]["buy"] == {"answers": 1, "closed_p99_ms": 1500, "open_p99_ms": 1500}


def test_everything_is_in_some_bucket() -> None:
    samples = [sample(number / 10, number / 10 + 0.05) for number in range(1000)]
    found = timeline(figures_of(samples))
    assert sum(sum(bucket["statuses"].values()) for bucket in found["buckets"]) == 1000
    assert sum(bucket["closed_ms"]["answers"] for bucket in found["buckets"]) == 1000
    assert all(bucket["per_second"] == pytest.approx(10, rel=0.05) for bucket in found["buckets"])


def test_looks_are_grouped_and_those_outside_are_left_out() -> None:
    assert list(per_group([], 0, 1)) == []
    groups = list(per_group([float(at) for at in range(1000)], 100, 399))
    assert [len(places) for _, places in groups] == [3] * 100
    assert (groups[0][0], groups[0][1]) == (0.0, [100, 101, 102])
    assert len(list(per_group([float(at) for at in range(1000)], 0, 999))) == 112


def test_a_group_of_looks_is_told_by_its_means() -> None:
    looks = [Look(0.5 + at, 8, 40, None, 100, {"running": at % 2}, {}) for at in range(240)]
    looks[1] = Look(1.5, None, None, None, 100)
    rows = looks_document(looks, 0.0, 300.0)
    assert len(rows) == 120
    assert rows[0] == {
        **{"at": 0.5, "looks": 2, "connections": 8, "locks": 40, "server_bytes": None, "api_bytes": 100},
        **{"busy": {"running": 0}, "ungranted": {}},
    }
    assert rows[1]["busy"] == {"running": 0.5}
    assert looks_document([looks[1]], 0.0, 300.0)[0]["busy"] is None
