"""What is expected and what alarms, to the last digit, and as the payment document has it."""

from __future__ import annotations

import pytest

from harness.monitor.document import judge
from harness.monitor.reading import Reading
from harness.monitor.threshold import (
    CONFLICT_RATE,
    CREDITS_TIME,
    HIT_RATE,
    SOLD_COUNT,
    STRIPE_TIME,
    THRESHOLDS,
    Grade,
    Threshold,
)
from harness.words.errors import ExitCode

OK, ABOVE, ALERT = Grade.OK, Grade.ABOVE_EXPECTED, Grade.ALERT


@pytest.mark.parametrize(
    ("threshold", "value", "grade"),
    [
        (CONFLICT_RATE, 0, OK),
        (CONFLICT_RATE, 0.0499, OK),
        (CONFLICT_RATE, 0.05, ABOVE),
        (CONFLICT_RATE, 0.20, ABOVE),
        (CONFLICT_RATE, 0.2001, ALERT),
        (SOLD_COUNT, 0, OK),
        (SOLD_COUNT, 1, ALERT),
        (CREDITS_TIME, 1.999, OK),
        (CREDITS_TIME, 2, ABOVE),
        (CREDITS_TIME, 10, ABOVE),
        (CREDITS_TIME, 10.001, ALERT),
        (STRIPE_TIME, 4.999, OK),
        (STRIPE_TIME, 5, ABOVE),
        (STRIPE_TIME, 10.001, ALERT),
        (HIT_RATE, 0, OK),
        (HIT_RATE, 0.05, OK),
        (HIT_RATE, 0.10, OK),
        (HIT_RATE, 0.1001, ABOVE),
        (HIT_RATE, 0.50, ABOVE),
        (HIT_RATE, 0.5001, ALERT),
    ],
)
def test_a_value_is_graded(threshold: Threshold, value: float, grade: Grade) -> None:
    assert threshold.grade(value) is grade
    assert Reading(threshold, value).grade is grade


def test_the_worst_alarms_and_the_value_does_not() -> None:
    assert CREDITS_TIME.grade(0.1, worst=10.1) is ALERT
    assert CREDITS_TIME.grade(0.1, worst=9.9) is OK
    assert CREDITS_TIME.grade(3, worst=9.9) is ABOVE


def test_there_are_the_four_of_the_document() -> None:
    assert [each.metric for each in THRESHOLDS] == [
        "purchase-conflict-rate",
        "sold-count-consistency",
        "completion-time-credits",
        "completion-time-stripe",
        "webhook-idempotency-hit-rate",
    ]


@pytest.mark.parametrize("threshold", THRESHOLDS, ids=lambda each: each.metric)
def test_without_data_nothing_passes(threshold: Threshold) -> None:
    assert Reading(threshold, reason="empty").grade is Grade.NO_DATA
    assert Reading.not_asked(threshold, "why").grade is Grade.NOT_MEASURED
    assert Reading.not_had(threshold, "why").grade is Grade.NOT_MEASURED


GOOD, HIGH = Reading(CONFLICT_RATE, 0.0), Reading(CONFLICT_RATE, 0.1)
BAD = Reading(SOLD_COUNT, 1)
EMPTY, UNASKED = Reading(SOLD_COUNT, reason="empty"), Reading.not_asked(HIT_RATE, "why")
LOST = Reading.not_had(HIT_RATE, "why")


@pytest.mark.parametrize(
    ("readings", "verdict", "code"),
    [
        ([GOOD, EMPTY, UNASKED], "ok", ExitCode.HOLDS),
        ([HIGH, EMPTY, UNASKED], "above_expected", ExitCode.HOLDS),
        ([GOOD, BAD, LOST], "alert", ExitCode.VIOLATED),
        ([GOOD, EMPTY, LOST], "could_not_run", ExitCode.COULD_NOT_RUN),
        ([EMPTY, UNASKED], "nothing_measured", ExitCode.NOT_EXERCISED),
        ([], "nothing_measured", ExitCode.NOT_EXERCISED),
    ],
)
def test_the_gravest_counts(readings: list[Reading], verdict: str, code: ExitCode) -> None:
    assert judge(readings) == (verdict, code)
