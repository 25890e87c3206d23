"""The fixture ``counterexample``: a recorded violation as a test that fails while the bug is there."""

from __future__ import annotations

from collections.abc import Callable

from harness.db.any_server import AnyServer
from harness.doors.asking import subject_of
from harness.doors.requesting import way
from harness.explore.exhaustive import Exhaustive
from harness.export.pytest_file import bound_of
from harness.marketplace.properties import check
from harness.report.lanes import lanes
from harness.verify.alone import staged, written_scenario
from harness.verify.enquiry import Enquiry
from harness.verify.explain import explain
from harness.verify.repeat import run_again
from harness.verify.story import tell
from harness.words.errors import HarnessError, UsageError
from harness.words.recording import Recording
from harness.words.sessions import sentence

WIDTH = 100
"""Columns of a failure's report, wherever it is read."""


_LOOK_S = 0.1
"""How long schedules are run before it is looked whether that is enough."""


class StillViolated(AssertionError):
    """The property is broken, or it was not found out whether it is. Its text is the report."""


class Counterexample:
    """Call it with a subject and a schedule. ``most`` are run at most; ``say`` takes a line for the report."""

    def __init__(self, server: AnyServer, most: int, say: Callable[[str], None]) -> None:
        self._server = server
        self._most = most
        self._say = say

    def __call__(self, subject: str, schedule: str) -> None:
        """Run the recorded schedule on a fresh database with ``subject`` in it, a name or the path of a folder.

        Raises ``StillViolated`` when that breaks the recorded property. If it does not, or the schedule is not possible
        any more because the functions have been changed, all schedules of the same scenario with no more preemptions
        (or one) are run, and the first that breaks the property is raised.
        """
        __tracebackhide__ = True
        try:
            failure = self._look(subject, Recording.read(schedule, "the schedule of this test"))
        except HarnessError as error:
            raise StillViolated(str(error)) from error.__cause__
        if failure:
            raise StillViolated(failure)

    def _look(self, subject_name: str, recording: Recording) -> str:
        """What is wrong, empty when nothing is."""
        subject, scenario = subject_of(subject_name), written_scenario(recording)
        if scenario is None:
            raise UsageError(
                "no-written-scenario",
                "the schedule of this test carries no scenario",
                expected="a test that harness export wrote",
                remedy="export it again",
            )
        kept, names = recording.property, list(scenario.sessions)
        with staged(self._server, subject, recording.isolation, api=way(recording.through)) as (order, plan, theatre):
            trial = theatre.trial(scenario)
            again = run_again(trial, recording.decisions, recording.events, recording.outcome)
            if again.made is not None:
                run, history = again.made
                for violation in check(history, (kept,)):
                    story = lanes(tell(scenario, plan, run, history), width=WIDTH)
                    return f"{kept} is violated, as recorded: {sentence(violation.why, names)}\n\n{story}"
            strategy = Exhaustive(bound_of(recording))
            enquiry = Enquiry(order, plan, scenario, self._most, trial, strategy)
            while not enquiry.finished and kept not in enquiry.campaign.tally.findings:
                enquiry.advance_for(_LOOK_S)
                if enquiry.campaign.tally.hang or enquiry.campaign.tally.diverged:
                    break
            explain([enquiry], None)
            report = enquiry.report()
        if found := report.counterexamples.get(kept):
            return f"{kept} is violated: {sentence(found.recording.why, names)}\n\n{lanes(found.story, width=WIDTH)}"
        if trouble := report.hang or report.diverged or report.not_applicable.get(kept):
            return f"nothing is known of {kept}: {trouble}"
        what = "is kept there" if not again.difference else "is not possible any more"
        self._say(f"{kept} is kept: the recorded schedule {what}; {report.schedules} others: {report.explored}")
        return ""
