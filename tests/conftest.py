"""One PostgreSQL server for all the tests, and databases of their own for those that ask.

Under pytest-xdist the controller starts the server and hands its DSN to the workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import hypothesis
import pytest

from harness.db.any_server import AnyServer
from harness.db.provision import provision
from harness.words.errors import HarnessError

# The same examples in every run, and no clock in the verdict: a red test is red again.
hypothesis.settings.register_profile("house", derandomize=True, database=None, deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")

_exits = pytest.StashKey[ExitStack]()
_dsn = pytest.StashKey[str]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the xdist controller, for each worker (``node``) before it starts."""
    stash = node.config.stash
    if _exits not in stash:
        stash[_exits] = ExitStack()
        try:
            stash[_dsn] = stash[_exits].enter_context(provision()).dsn()
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from None
    node.workerinput["dsn"] = stash[_dsn]


def pytest_unconfigure(config: pytest.Config) -> None:
    if _exits in config.stash:
        config.stash[_exits].close()


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[AnyServer]:
    """The server of this test run. Workers share it: make databases, and change nothing that others would see."""
    workerinput: dict[str, Any] = getattr(pytestconfig, "workerinput", {})
    with provision(workerinput.get("dsn", "auto")) as server:
        yield server


@pytest.fixture
def database(server: AnyServer) -> Iterator[str]:
    """The DSN of an empty database that this test alone uses."""
    with server.database() as dsn:
        yield dsn


@pytest.fixture(scope="module")
def module_database(server: AnyServer) -> Iterator[str]:
    """The DSN of a database that the tests of one module share."""
    with server.database() as dsn:
        yield dsn
