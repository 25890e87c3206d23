"""One PostgreSQL server for all the tests (the plugin's), and databases of their own for those that ask."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

from harness.db.any_server import AnyServer

# The same examples in every run, and no clock in the verdict: a red test is red again.
hypothesis.settings.register_profile("house", derandomize=True, database=None, deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")

# A script starts what it puts in the background with Ctrl-C ignored, which children inherit. Ours are interrupted.
for _number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number is signal.SIGINT else signal.SIG_DFL)


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


@pytest.fixture
def unpinned() -> Iterator[None]:
    """What runs in this process stays on one core; whoever comes after it may use them all."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)
