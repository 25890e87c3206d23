"""One PostgreSQL server for all the tests, and databases of their own for those that ask.

Under pytest-xdist the controller starts the server and hands its DSN to the workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import hypothesis
import pytest

from harness.db.provision import Server, provision

# The same examples in every run, and no clock in the verdict: a red test is red again.
hypothesis.settings.register_profile("house", derandomize=True, database=None, deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")

_exits = pytest.StashKey[ExitStack]()
_dsn = pytest.StashKey[str]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the xdist controller, for each worker (``node``) before it starts."""
    stash = node.config.stash
    if _dsn not in stash:
        stash[_exits] = ExitStack()
        stash[_dsn] = stash[_exits].enter_context(provision("auto")).dsn("postgres")
    node.workerinput["dsn"] = stash[_dsn]


def pytest_unconfigure(config: pytest.Config) -> None:
    if _exits in config.stash:
        config.stash[_exits].close()


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """The server of this test run; it may be shared, so tests make databases of their own and change no setting."""
    workerinput = getattr(pytestconfig, "workerinput", {})
    with provision(workerinput.get("dsn", "auto")) as server:
        yield server


@contextmanager
def fresh_database(server: Server) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    server.create_database(name)
    try:
        yield server.dsn(name)
    finally:
        server.drop_database(name)


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The DSN of an empty database that this test alone uses."""
    with fresh_database(server) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def module_database(server: Server) -> Iterator[str]:
    """The DSN of a database that the tests of one module share."""
    with fresh_database(server) as dsn:
        yield dsn
