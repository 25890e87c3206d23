"""A real load of each subject: the right one holds, and what is wrong with the others is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from harness.load.finding import Judgement
from harness.marketplace.planted import find_subject
from harness.resources import bundled

from .real_run import run


@pytest.mark.parametrize("seed", range(2))
def test_the_reference_holds(seed: int, server: AnyServer, database: str, tmp_path: Path) -> None:
    subject = find_subject("reference", bundled("sql"))
    server.ensure_roles(subject.roles)
    verdict = run(database, subject, tmp_path, operations=600, leads=80, seed=seed)
    assert verdict.judgement is Judgement.HOLDS, [each.why for each in verdict.listed]
    assert min(verdict.counts[name] for name in ("ok", "refusals", "repeats", "commits")) > 5, verdict.counts


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("before", {"serializable"}),
        ("published", {"serializable"}),
        ("planted:ledger-entry-forgotten", {"conservation"}),
        ("planted:reservation-ignored", {"serializable"}),
    ],
)
def test_what_is_wrong_is_found(name: str, broken: set[str], server: AnyServer, database: str, tmp_path: Path) -> None:
    subject = find_subject(name, bundled("sql"))
    server.ensure_roles(subject.roles)
    verdict = run(database, subject, tmp_path, operations=600, leads=60)
    assert verdict.judgement is Judgement.VIOLATED
    assert broken <= verdict.broken.keys(), [verdict.broken, *(each.why for each in verdict.listed[:10])]
