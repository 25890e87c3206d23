"""Busy answers are explained by who had the lead or the key at the same time, and by nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.load.books import Books
from harness.load.busy import unfounded
from harness.load.sample import Sample, SampleWriter
from harness.load.samples import Samples
from harness.words.history import Status

LATER = 10.0


def buy(client: str, at: float, code: str, lead: str, key: str) -> Sample:
    status = Status.BUSY if code else Status.OK
    return Sample(client, "buy", at, at, at + 1, status, code, workspace="w", leads=(lead,), key=key)


@pytest.mark.parametrize(
    ("code", "other", "founded"),
    [
        ("lead_busy", buy("b", 0.5, "", "L1", "k2"), True),
        ("lead_busy", buy("b", 0.5, "", "L2", "k2"), False),
        ("lead_busy", buy("b", 0.5, "", "L2", "k1"), False),
        ("lead_busy", buy("b", 0.5, "key_in_progress", "L1", "k2"), False),
        ("lead_busy", buy("b", LATER, "", "L1", "k2"), False),
        ("lead_busy", buy("a", 0.5, "", "L1", "k2"), False),
        ("key_in_progress", buy("b", 0.5, "", "L1", "k1"), True),
        ("key_in_progress", buy("b", 0.5, "lead_busy", "L1", "k1"), True),
        ("key_in_progress", buy("b", 0.5, "", "L1", "k2"), False),
        ("key_in_progress", buy("b", 0.5, "key_in_progress", "L1", "k1"), False),
        ("key_in_progress", buy("b", LATER, "", "L1", "k1"), False),
        ("40001", buy("b", 0.5, "", "L2", "k2"), True),
        ("40001", buy("b", LATER, "", "L1", "k1"), False),
    ],
)
def test_a_busy_answer_needs_a_cause(tmp_path: Path, code: str, other: Sample, founded: bool) -> None:
    file = tmp_path / "samples"
    with SampleWriter(file) as writer:
        writer.write(buy("a", 0.0, code, "L1", "k1"))
        writer.write(other)
    with Samples([file]) as samples:
        (number,) = (each for each in range(2) if samples.invoked[each] == 0.0)
        assert list(unfounded(samples, [number], Books(frozenset()))) == ([] if founded else [number])
