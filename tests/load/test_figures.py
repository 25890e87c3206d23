"""Figures: exact percentiles, a stall that the open model shows and the closed one hides, lateness and whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from harness.load.figures import Latency, Span, figures_of, latency, rounds_of, steps_of
from harness.load.sample import Sample
from harness.words.history import Status


def sample(invoked: float, returned: float | None, status: Status = Status.OK, **fields: Any) -> Sample:
    told: dict[str, Any] = {"client": "c0", "operation": "buy", "intended": invoked, "key": f"{invoked}"} | fields
    return Sample(invoked=invoked, returned=returned, status=status, **told)


def test_percentiles_are_latencies_that_somebody_had() -> None:
    assert latency([]) == Latency(0)
    assert latency([3.0]) == Latency(1, 3, 3, 3, 3, 3, 3)
    found = latency([float(number) for number in range(1000, 0, -1)])
    assert found == Latency(1000, 1, 500, 900, 990, 999, 1000)


def test_the_open_model_shows_a_stall_that_the_closed_one_hides() -> None:
    """A client every 10 ms, one of them stalled for a second: the hundred after it wait, and send late."""
    samples = [sample(0.0, 1.0, intended=0.0)]
    samples += [
        sample(1.0 + number / 1000, 1.001 + number / 1000, intended=number / 100, client=f"c{number}")
        for number in range(1, 100)
    ]
    operation = figures_of(samples).operations["buy"]
    closed, open_ = latency(operation.closed_ms), latency(operation.open_ms)
    assert closed.p90 == pytest.approx(1)
    assert open_.p50 == pytest.approx(550, abs=10)
    assert open_.p90 == pytest.approx(901, abs=10)


def test_what_was_lost_and_asked_again_counts_from_its_first_arrival() -> None:
    lost = sample(1.0, None, Status.UNKNOWN, code="08006", key="k", intended=0.5)
    again = sample(2.0, 2.25, key="k", code="")
    figures = figures_of([lost, again])
    assert list(figures.operations["buy"].open_ms) == [1750]
    assert list(figures.operations["buy"].closed_ms) == [250]
    assert (figures.unknown, figures.asked_again) == (1, 1)
    assert figures.disturbed == [Span(1.0, 2.0, "buy: no answer: 08006")]


def test_an_unknown_outcome_that_nobody_asked_for_again_stays_unknown() -> None:
    progress = sample(2.0, 2.1, Status.BUSY, key="k", code="key_in_progress", http=409)
    figures = figures_of([sample(1.0, None, Status.UNKNOWN, code="08006", key="k"), progress])
    assert (figures.unknown, figures.asked_again) == (1, 0)


def test_every_5xx_is_an_error_and_what_the_generator_cut_off_is_none() -> None:
    figures = figures_of(
        [
            sample(1.0, 1.1, Status.FAILED, http=503, code="try_again"),
            sample(2.0, 2.1, Status.UNKNOWN, http=500, code="internal_error"),
            sample(3.0, None, Status.UNKNOWN),
        ]
    )
    assert [each.what for each in figures.disturbed] == ["buy: 503 try_again", "buy: 500 internal_error"]
    assert figures.unknown == 2


def test_refusals_and_sqlstates_are_counted_apart() -> None:
    figures = figures_of(
        [
            sample(1.0, 1.1, Status.REFUSED, code="lead_sold"),
            sample(2.0, 2.1, Status.REFUSED, code="lead_sold", http=409),
            sample(3.0, 3.1, Status.BUSY, code="40001"),
        ]
    )
    assert (figures.refusals, figures.sqlstates) == ({"lead_sold": 2}, {"40001": 1})
    assert figures.operations["buy"].counts == {"refused": 2, "busy": 1}


def test_who_sets_out_late_without_a_reason_is_the_generators_fault() -> None:
    figures = figures_of(
        [
            sample(1.0, 2.0, intended=0.99),
            # Due while its client was still waiting for the answer.
            sample(2.0, 2.5, intended=1.5),
        ]
    )
    assert list(figures.late_ms) == [pytest.approx(10)]
    assert figures.waited == 1


def test_a_race_has_its_winners_and_its_wall_time() -> None:
    samples = [
        sample(1.0, 1.4, leads=("x",)),
        sample(1.1, 1.6, Status.REFUSED, code="lead_sold", leads=("x",)),
        sample(1.2, None, Status.UNKNOWN, code="08006", client="c2", key="k", leads=("x",)),
        sample(1.2, 1.5, Status.REFUSED, client="c2", key="k", code="lead_sold", leads=("x",)),
        sample(1.6, 1.6, key="1.0", leads=("x",), answer={"replayed": True}),
        sample(5.0, 5.1, leads=("y",)),
        sample(5.0, 5.2, client="c1", leads=("y",)),
    ]
    first, second = rounds_of(samples)
    assert (first.buyers, first.winners) == (3, 1)
    assert first.seconds == pytest.approx(0.6)
    assert (second.buyers, second.winners) == (2, 2)


def test_a_winner_whose_answer_was_lost_is_one_and_a_race_without_an_end_is_told() -> None:
    lost = sample(1.0, None, Status.UNKNOWN, code="08006", key="k", leads=("x",))
    again = sample(2.0, 2.1, key="k", leads=("x",), answer={"replayed": True})
    other = sample(1.0, 1.1, Status.REFUSED, code="lead_sold", client="c1", leads=("x",))
    assert [each[:2] + each[3:] for each in rounds_of([lost, other, again])] == [(2, 1, True)]
    assert [each[:2] + each[3:] for each in rounds_of([lost, other])] == [(2, 0, False)]


def test_what_a_client_gave_up_is_told_and_what_the_end_cut_off_is_not() -> None:
    lost = sample(1.0, None, Status.UNKNOWN, code="08006", key="a")
    in_progress = sample(1.5, 1.6, Status.BUSY, code="key_in_progress", http=409, key="a")
    other = sample(2.0, 2.1, key="b")
    assert [each.begin for each in figures_of([lost, in_progress, other]).given_up] == [1.0]
    assert figures_of([lost, in_progress]).given_up == []
    assert figures_of([lost, sample(1.5, 1.6, key="a"), other]).given_up == []


def test_a_step_has_what_was_answered_in_it() -> None:
    samples = [sample(number / 10, number / 10 + 0.05) for number in range(20)]
    first, second = steps_of(samples, [{"users": 2, "begin": 0.0, "end": 1.0}, {"users": 4, "begin": 1.0, "end": 3.0}])
    assert (first.users, first.per_second, first.latency.answers) == (2, 10, 10)
    assert (second.users, second.per_second) == (4, 5)


def test_nothing_is_nothing() -> None:
    figures = figures_of([])
    assert (figures.requests, figures.seconds) == (0, 0)
