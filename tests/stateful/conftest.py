"""Theatres for the lives of several subjects, one after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from harness.db.any_server import AnyServer
from harness.db.plan import Plan
from harness.marketplace.planted import find_subject
from harness.resources import bundled
from harness.verify.alone import staged
from harness.verify.orders import Order
from harness.verify.theatre import Theatre

Staged = tuple[Order, Plan, Theatre]


@pytest.fixture(scope="module")
def theatre_of(server: AnyServer) -> Iterator[Callable[[str], Staged]]:
    """The subject of a name on a database of its own, made once for the tests of one module."""
    known: dict[str, Staged] = {}
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    with ExitStack() as exits:

        def of(name: str) -> Staged:
            if name not in known:
                subject = find_subject(name, bundled("sql"))
                known[name] = exits.enter_context(staged(server, subject, "read committed", replays=3))
            return known[name]

        yield of
    if before is not None:
        os.sched_setaffinity(0, before)
