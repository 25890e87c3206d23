"""The model of the marketplace keeps every property on the reference: split over the workers, each from a seed apart.

What models found once (scenarios/replays) is run first, by every shard. The profile (--harness-profile) says whether
there is an example database; with nightly there are more lives.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import settings

from harness.db.any_server import AnyServer
from harness.marketplace.subject import load_subject
from harness.pytest_plugin import Shard
from harness.report.model import render_model, totals
from harness.resources import bundled
from harness.stateful.alone import live
from harness.stateful.load import load_machine, load_recordings
from tests.sizes import sized

LIVES = sized(300, 1000)
STEPS = 40
BLOCKS_PER_LIFE = 5
"""Far fewer than there are (docs/benchmarks.md): with hardly any, the test would prove nothing."""


def test_every_life_keeps_every_property(
    server: AnyServer,
    shard: Shard,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    unpinned: None,
) -> None:
    del unpinned
    lives = shard.share(LIVES)
    document = live(
        server,
        load_subject("reference", bundled("sql")),
        load_machine(),
        lives=lives,
        steps=STEPS,
        seed=shard.seed,
        isolation="read committed",
        schedule_files=tmp_path,
        recordings=load_recordings(),
        profile=settings(),
    )
    record_property("harness", totals(document))
    assert document["verdict"] == "holds", render_model(document)
    assert document["lives"] >= lives
    assert document["blocks"] >= BLOCKS_PER_LIFE * lives
    assert document["distinct_blocks"] > document["blocks"] / 3
    for label in ("overlap", "wait", "busy", "refused", "replayed", "failed", "unknown", "ended:completed"):
        assert document["seen"].get(label), label
