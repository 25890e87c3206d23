"""The test file fails while the bug is there and passes after the repair."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from harness.doors.asking import scenarios_of
from harness.doors.regressing import Counterexample, StillViolated
from harness.export.pytest_file import pytest_file
from harness.words.recording import Recording
from tests.verify.command import harness

pytestmark = pytest.mark.usefixtures("unpinned")


@pytest.fixture
def exported(double_sale: Recording) -> str:
    (scenario,) = scenarios_of([double_sale.scenario], None)
    return pytest_file(double_sale, scenario, "published")


def schedule_in(text: str) -> str:
    """What the file hands to the fixture."""
    names: dict[str, str] = {}
    exec(compile(text, "test_exported.py", "exec"), names)
    return names["SCHEDULE"]


def test_it_fails_on_the_bug_and_passes_on_the_repair(server: AnyServer, exported: str, tmp_path: Path) -> None:
    (tmp_path / "test_bug.py").write_text(exported)
    (tmp_path / "test_repaired.py").write_text(exported.replace('SUBJECT = "published"', 'SUBJECT = "reference"'))
    done = harness("-p", "no:cacheprovider", f"--harness-dsn={server.dsn()}", cwd=tmp_path, module="pytest")
    assert done.code == 1
    assert "1 failed, 1 passed" in done.out
    assert "sold-once is violated, as recorded: lead L1 was sold to p and q: sold_count 2" in done.out
    assert "│ ↯ preempted by bob" in done.out
    assert "sold-once is kept: the recorded schedule is not possible any more;" in done.out
    assert "EXHAUSTED (every schedule of up to 1 preemptions)" in done.out


def test_a_bug_at_another_step_is_found(server: AnyServer, exported: str, double_sale: Recording) -> None:
    last = double_sale.decisions[-1].chosen
    shorter = schedule_in(exported).replace(f", [{last}, [{last}]]]", "]", 1)
    assert shorter != schedule_in(exported)
    with pytest.raises(StillViolated, match="sold-once is violated: "):
        Counterexample(server, 200, print)("published", shorter)


def test_a_schedule_that_is_none_fails(server: AnyServer, double_sale: Recording) -> None:
    for text in ("", "{}", double_sale.to_json()):
        with pytest.raises(StillViolated, match=r"bad-schedule-file|no-written-scenario"):
            Counterexample(server, 1, print)("published", text)
