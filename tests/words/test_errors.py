"""Errors for users: one line that says what was seen, what was expected and what to do, in every process."""

from __future__ import annotations

import pickle

import pytest

from harness.engine.execution import Hang, Run
from harness.explore.strategy import Diverged
from harness.words.errors import CouldNotRun, ExitCode, HarnessError, UsageError

EVERY = [
    HarnessError("slug", "seen"),
    UsageError("slug", "seen", expected="this"),
    CouldNotRun("slug", "seen", remedy="do that"),
    UsageError("slug", "seen", expected="this", remedy="do that"),
    Diverged(3, 1, (0, 2), (0, 1)),
    Diverged(3, None, ()),
]


def test_one_line_says_all() -> None:
    error = UsageError("port", "99999 is no port.", expected="1 to 65535", remedy="choose another one;")
    assert str(error) == "99999 is no port; expected 1 to 65535; choose another one [port]"


def test_what_is_not_known_is_left_out() -> None:
    assert str(CouldNotRun("slug", "seen")) == "seen [slug]"


@pytest.mark.parametrize(
    ("error", "code"), [(HarnessError, 3), (UsageError, 2), (CouldNotRun, 3)], ids=lambda value: str(value)
)
def test_every_kind_has_its_exit_code(error: type[HarnessError], code: int) -> None:
    assert error("slug", "seen").exit_code == code


def test_exit_codes_are_those_of_the_readme() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "HOLDS": 0,
        "VIOLATED": 1,
        "USAGE": 2,
        "COULD_NOT_RUN": 3,
        "REGRESSION": 4,
        "NOT_EXERCISED": 5,
        "INCONCLUSIVE": 6,
    }


@pytest.mark.parametrize("error", EVERY, ids=str)
def test_an_error_crosses_from_a_worker(error: HarnessError) -> None:
    there = pickle.loads(pickle.dumps(error))
    assert type(there) is type(error)
    assert vars(there) == vars(error)
    assert str(there) == str(error)


def test_a_subclass_crosses_too() -> None:
    there = pickle.loads(pickle.dumps(_Own("slug", "seen", expected="this", remedy="that")))
    assert (type(there), there.expected, there.remedy) == (_Own, "this", "that")


def test_a_hang_crosses_with_its_evidence() -> None:
    there = pickle.loads(pickle.dumps(Hang("why", "picture", Run(points=[1]))))
    assert (str(there), there.why, there.picture, there.run) == ("why", "why", "picture", Run(points=[1]))


class _Own(CouldNotRun):
    pass
