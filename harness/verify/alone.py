"""One scenario in this process: what ``harness explore`` and ``harness replay`` do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.db.any_server import AnyServer
from harness.db.instrument import telling
from harness.db.pinning import choose_core
from harness.db.plan import Plan
from harness.engine.execution import Chooser
from harness.explore.strategies import STRATEGIES
from harness.marketplace.notation import read_scenario
from harness.marketplace.properties import check
from harness.marketplace.scenario import ISOLATIONS, Scenario
from harness.marketplace.subject import Subject
from harness.requests.seats import MakeApp
from harness.unwinding import noting_interrupt
from harness.verify.awaited import RowNames
from harness.verify.because import because
from harness.verify.enquiry import Enquiry, seed_of
from harness.verify.exhibit import show
from harness.verify.explain import explain
from harness.verify.onlooker import Onlooker
from harness.verify.orders import Order, ShareReport
from harness.verify.prepared import new_database, prepare, telling_of_a_lost_server
from harness.verify.repeat import run_again
from harness.verify.sources import sources
from harness.verify.story import tell
from harness.verify.theatre import Theatre
from harness.verify.unshown import unshown
from harness.words.errors import UsageError
from harness.words.recording import Recording


@contextmanager
def staged(
    server: AnyServer,
    subject: Subject,
    isolation: str,
    *,
    seed: int = 0,
    replays: int = 10,
    api: MakeApp | None = None,
) -> Iterator[tuple[Order, Plan, Theatre]]:
    """A database with the subject in it, and a theatre on it, on one core."""
    server.ensure_roles(subject.roles)
    with new_database(server) as name, telling_of_a_lost_server():
        dsn = server.dsn(name)
        plan = prepare(dsn, subject).plan
        order = Order(
            dsn=dsn,
            subject=subject,
            local=server.local,
            core=choose_core(0) if server.local else None,
            scenarios=(),
            seconds=None,
            seed=seed,
            isolation=isolation,
            replays=replays,
            api=api,
        )
        with Theatre(order, plan) as theatre:
            yield order, plan, theatre


def explore(
    server: AnyServer,
    subject: Subject,
    scenario: Scenario,
    strategy: str,
    *,
    most: int | None,
    preemptions: int | None,
    seed: int,
    isolation: str,
    tick: Callable[[str, int, int], None],
    api: MakeApp | None = None,
) -> tuple[ShareReport, Plan, bool]:
    """Run one scenario under one strategy, at most ``most`` schedules.

    Its report, the plan by which the subject was instrumented, and whether Ctrl-C ended it early. Raises ``UsageError``
    for a scenario that the subject cannot play.
    """
    with staged(server, subject, isolation, seed=seed, api=api) as (order, plan, theatre):
        chosen = STRATEGIES[strategy](seed_of(seed, scenario.name), preemptions)
        enquiry = Enquiry(order, plan, scenario, most, theatre.trial(scenario), chosen)
        with noting_interrupt() as interrupted:
            while not enquiry.finished and not interrupted.is_set():
                enquiry.advance_for(0.25)
                tally = enquiry.campaign.tally
                tick(scenario.name, tally.schedules, len(tally.findings))
        explain([enquiry], None)
        report = enquiry.report()
        return ShareReport([report], theatre.reached.told), plan, interrupted.is_set()


@dataclass(frozen=True, slots=True)
class Replayed:
    """``faithful``: everything that the recording holds came again. ``difference`` says what did not.

    ``because`` is the sentence that says how a violation came about, where the run shows it.
    """

    faithful: bool
    violated: bool
    difference: str
    story: dict[str, Any]
    because: str = ""


def replay(
    server: AnyServer,
    subject: Subject,
    scenario: Scenario,
    recording: Recording,
    watch: Callable[[Mapping[str, Any]], Callable[[Chooser], Chooser]] | None = None,
    api: MakeApp | None = None,
) -> Replayed:
    """Run a recording again; and, if it was the same again, once more with its chooser wrapped in what ``watch`` makes.

    That may stop before each step. ``watch`` is given the story of the first run, to tell what each step has come to.
    """
    with staged(server, subject, recording.isolation, api=api) as (_, plan, theatre):
        trial = theatre.trial(scenario)
        onlookers = [Onlooker(trial)]
        with telling(trial.connection, plan):
            again = run_again(onlookers[0], recording.decisions, recording.events, recording.outcome)
            if not again.difference:
                onlookers.append(Onlooker(trial))
                again = run_again(onlookers[1], recording.decisions, recording.events, recording.outcome)
        if again.made is None:
            return Replayed(False, False, again.difference, {})
        run, history = again.made
        broken = [each for each in check(history, scenario.properties) if each.property == recording.property]
        story = tell(scenario, plan, run, history)
        story["sources"] = sources(story, subject, plan)
        rows = RowNames(subject, trial.world.names)
        looked = onlookers[-1:] if again.difference else onlookers
        if not any(onlooker.blind for onlooker in looked):
            show(story, looked, rows, recording.isolation, plan)
        if watch is not None and not again.difference:
            again = run_again(trial, recording.decisions, recording.events, recording.outcome, watch(story))
        why = because(story, dict(broken[0].guilty), rows.tables, unshown(plan)) if broken else None
        return Replayed(not again.difference, bool(broken), again.difference, story, why["sentence"] if why else "")


def written_scenario(recording: Recording) -> Scenario | None:
    """The scenario that a recording carries along; None for one of a file. ``UsageError`` for one that is spoilt."""
    if recording.written is None:
        return None
    try:
        return read_scenario(recording.written)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            "bad-schedule-file",
            f"the scenario in the schedule file cannot be read ({type(error).__name__}: {error})",
            expected="a schedule file as the harness wrote it",
            remedy="run what wrote it again",
        ) from error


def require_same(recording: Recording, subject: Subject, scenario: Scenario) -> None:
    """Raises ``UsageError`` when the recording was made of another subject or scenario, or is none of a run of it."""
    for what, option, name, recorded, present in (
        ("subject", "--subject", subject.name, recording.subject_digest, subject.digest),
        ("scenario", "--scenario-files", scenario.name, recording.scenario_digest, scenario.digest),
    ):
        if recorded != present:
            raise UsageError(
                "other-version",
                f"the schedule was recorded on another {what} than the {name} that is here ({recorded}, not {present})",
                expected=f"the same {what}: a schedule says nothing about another one",
                remedy=f"take the version that was verified, name its folder with {option}, or run verify again",
            )
    sessions = set(range(len(scenario.sessions)))
    possible = (
        recording.isolation in ISOLATIONS
        and recording.property in scenario.properties
        and all(set(decision.enabled) <= sessions for decision in recording.decisions)
    )
    if not possible:
        raise UsageError(
            "bad-schedule-file",
            f"the schedule is none of a run of {scenario.name}",
            expected="a schedule file as verify wrote it",
            remedy="run verify again",
        )
