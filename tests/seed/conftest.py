"""The reference functions as they will be deployed: no scheduling points, no scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from harness.db.any_server import AnyServer
from harness.marketplace.operations import Operation
from harness.marketplace.start import Start
from harness.marketplace.subject import Subject, load_subject
from harness.resources import bundled
from harness.stress.arena import put_in_place
from tests.seed.market import Market

Opened = Callable[..., Market]
"""``market(start, *operations)``: the operations are those that will make purchases."""


@pytest.fixture(scope="session")
def subject() -> Subject:
    return load_subject("reference", bundled("sql"))


@pytest.fixture(scope="module")
def shop(server: AnyServer, module_database: str, subject: Subject) -> str:
    """The DSN of a database with the reference functions in it."""
    server.ensure_roles(subject.roles)
    put_in_place(module_database, subject)
    return module_database


@pytest.fixture
def market(shop: str, subject: Subject) -> Iterator[Opened]:
    with ExitStack() as exits:

        def open_market(start: Start, *operations: Operation) -> Market:
            return exits.enter_context(Market(shop, subject, start, operations))

        yield open_market
