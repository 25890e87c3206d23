"""The payment document's figures: each is there, and stands beside what the run has of it, or beside nothing."""

from __future__ import annotations

from typing import Any

import pytest

from harness.load.figures import Round, figures_of
from harness.load.finding import HistoryVerdict, Judgement
from harness.load.published import published
from harness.load.sample import Sample
from harness.words.history import Status

COUNTS = {"leads_sold": 4, "webhooks": 1}
SAMPLES = (
    Sample("a", "buy", 0.0, 0.5, 0.51, Status.OK, key="k"),
    Sample("b", "buy", 1.0, 1.0, 1.03, Status.REFUSED, "lead_sold", 409, key="l"),
    Sample("c", "checkout", 1.0, 1.0, 1.1, Status.OK, purchase="p", key="m"),
    Sample("d", "checkout", 1.0, 1.0, 1.1, Status.OK, purchase="never paid", key="n"),
    Sample("g", "deliver", 2.0, 2.0, 2.1, Status.OK, event="x", kind="checkout.session.expired", purchase="p"),
    Sample("g", "deliver", 3.0, 3.0, 3.1, Status.UNKNOWN, http=503, event="e", kind="checkout.session.completed"),
    *(
        Sample("g", "deliver", at, at, at + 0.5, Status.OK, event="e", kind="checkout.session.completed", purchase="p")
        for at in (4.0, 5.0)
    ),
)


def told(*samples: Sample, rounds: tuple[Round, ...] = (), broken: int = 0, counts: Any = COUNTS) -> dict[str, Any]:
    history = HistoryVerdict(Judgement.HOLDS, {"sold-once": broken} if broken else {}, (), (), 0, 0, counts)
    return {each["figure"]: each for each in published(figures_of(samples), history, rounds)}


def test_a_run_that_has_nothing_of_the_kind_says_so() -> None:
    found = told(counts={})
    assert len(found) == 10
    assert [each["here"] for each in found.values()] == [None] * 10
    assert {each["grade"] for each in found.values()} == {None}


def test_the_race_is_that_of_a_hundred_buyers_and_no_smaller_one() -> None:
    race = "race of 100 buyers for one lead"
    assert told(rounds=(Round(8, 1, 0.01),))[race]["here"] is None
    found = told(rounds=(Round(100, 1, 0.05), Round(100, 2, 0.03), Round(100, 1, 0.04)))
    assert (found[race]["published"], found[race]["here"]) == (2.34, 0.04)
    assert found["winners of that race, at most"]["here"] == 2


def test_what_is_watched_is_graded_as_the_monitor_grades_it() -> None:
    found = told(*SAMPLES)
    conflicts = found["purchases answered with a conflict (409)"]
    assert (conflicts["here"], conflicts["grade"], conflicts["compares"]) == (0.25, "alert", "no")
    # From the request to the first answer that the payment is known; that it expired is no payment.
    stripe = found["completion of a Stripe purchase, p99"]
    assert (stripe["here"], stripe["grade"]) == (pytest.approx(3.5), "ok")
    assert found["completion of a purchase with credits, p99"]["here"] == pytest.approx(0.51)
    # Three were answered with a 2xx, one of them the first of its kind.
    assert found["webhooks that had been applied already"]["here"] == pytest.approx(2 / 3)
    assert found["leads sold more than once"]["grade"] == "ok"
    assert told(*SAMPLES, broken=1)["leads sold more than once"]["grade"] == "alert"


def test_latency_is_that_of_purchases_with_credits_from_sending() -> None:
    found = told(*SAMPLES)
    assert [found[f"transaction latency, {which}"]["here"] for which in ("average", "least", "greatest")] == [
        pytest.approx(20),
        pytest.approx(10),
        pytest.approx(30),
    ]
