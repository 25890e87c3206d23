"""Latencies as distributions: every one in its bin, and no quantile that so few samples do not have."""

from __future__ import annotations

import pytest

from harness.load.distribution import LEAST_MS, bin_of, distribution, distributions
from harness.load.figures import figures_of
from harness.load.sample import Sample
from harness.words.history import Status


def test_bins_are_a_twentieth_of_a_decade() -> None:
    assert [bin_of(each) for each in (0.1, 1.0, 1.12, 1.13, 10.0, 1000.0)] == [-20, 0, 0, 1, 20, 60]
    assert bin_of(0.0) == bin_of(LEAST_MS) == -60


def test_a_histogram_counts_every_latency_once() -> None:
    found = distribution([1.0, 1.05, 2.0, 10.0])
    assert found["first_bin"] == 0
    assert (len(found["counts"]), sum(found["counts"]), found["counts"][0]) == (21, 4, 2)
    assert distribution([]) == {"first_bin": 0, "counts": [], "quantiles": []}


@pytest.mark.parametrize(("answers", "last_but_one"), [(1, 0.0), (10, 0.9), (1000, 0.999), (100_000, 0.99999)])
def test_quantiles_go_as_far_as_there_are_samples(answers: int, last_but_one: float) -> None:
    found = distribution([float(number) for number in range(1, answers + 1)])["quantiles"]
    assert found[-1] == {"share": 1.0, "ms": answers}
    assert found[-2]["share"] == last_but_one
    assert [each["ms"] for each in found] == sorted(each["ms"] for each in found)
    if answers == 1000:
        assert {each["share"]: each["ms"] for each in found}[0.5] == 500


def test_all_together_and_each_operation_in_both_models() -> None:
    samples = [
        Sample("a", "buy", 0.0, 1.0, 1.01, Status.OK, key="k"),
        Sample("a", "read", 2.0, 2.0, 2.001, Status.OK, purchase="p"),
    ]
    found = distributions(figures_of(samples), opened=True)
    assert [each["operation"] for each in found] == [None, "buy", "read"]
    assert [sum(each["closed"]["counts"]) for each in found] == [2, 1, 1]
    assert found[1]["open"]["quantiles"][-1]["ms"] == 1010
    assert distributions(figures_of(samples), opened=False)[0]["open"] is None
    assert distributions(figures_of([]), opened=True) == []
