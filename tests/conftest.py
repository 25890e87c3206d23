"""One PostgreSQL server for all the tests (the plugin's), and databases of their own for those that ask."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

from harness.db.any_server import AnyServer
from tests.sizes import sized

# The same examples in every run, and no clock in the verdict: a red test is red again.
hypothesis.settings.register_profile("house", derandomize=True, database=None, deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")

# A script starts what it puts in the background with Ctrl-C ignored, which children inherit. Ours are interrupted.
for _number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number is signal.SIGINT else signal.SIG_DFL)


# What a tested command says is not said to whoever looks at the step in which the tests run.
for _name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
    os.environ.pop(_name, None)


LONG = (
    "test_every_life_keeps_every_property",
    "test_crashes_lose_nothing_that_was_acknowledged",
    "test_every_fault_is_found_among_many_operations_and_nothing_else",
    "test_sql_does_what_the_model_does",
    "test_the_reference_survives_it_everywhere",
    "test_one_winner_of_a_hundred_every_time",
    "test_a_generated_function_does_the_same_with_points",
    "test_workers_draw_again_what_the_seed_of_the_header_says",
    "test_a_hang_is_told_with_its_picture",
)
"""They are begun first: what takes long must not be what everybody waits for in the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: getattr(item, "originalname", "") not in LONG)
    if not sized(0, 1):
        by_night = [item for item in items if item.get_closest_marker("nightly")]
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]
        if by_night:
            by_night[0].config.hook.pytest_deselected(items=by_night)


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
