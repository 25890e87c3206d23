"""Check a model: so many lives on a subject, and of the first that breaks a property the smallest that does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import Flaky
from hypothesis.reporting import with_reporter
from hypothesis.stateful import run_state_machine_as_test

from harness.db.plan import Plan
from harness.engine.campaign import Finding
from harness.engine.execution import Hang
from harness.explore.sparse import Sparse
from harness.explore.strategy import LOOK_FOR_CHANCE
from harness.marketplace.notation import write_scenario
from harness.marketplace.properties import check
from harness.marketplace.scenario import Scenario
from harness.stateful.distil import Distilled, distil
from harness.stateful.life import Broken, Life
from harness.stateful.machine import LifeMachine
from harness.verify.alone import written_scenario
from harness.verify.counterexample import counterexample_of
from harness.verify.enquiry import seed_of
from harness.verify.orders import Counterexample, Order
from harness.verify.reduce import reduce
from harness.verify.theatre import Theatre
from harness.words.errors import CouldNotRun, UsageError
from harness.words.recording import Recording
from harness.words.schedule import count_preemptions, switches_of

ROUND = 25
"""Lives that Hypothesis makes up from one seed, before it starts anew from the next."""
CLIMBING_EVERY = 4
"""Each so-manieth round spends half of its lives near the most eventful one: deeper, but much of it has been seen."""

REDUCTION_MAX = 5_000
"""The most schedules that making a failure small may cost."""


class _Enough(BaseException):
    """Whoever counts has said that it is enough. No ``Exception``, which would be a failure to Hypothesis."""


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What was lived and seen; ``counterexample`` is the smallest life found that breaks a property, if one did.

    ``replayed`` recordings were run first. ``steps`` are those of all lives; ``blocks`` are the steps with several
    sessions, ``distinct`` how many of these differ in what was asked or in who took which step, ``outcomes`` how many
    ends they had. ``seen`` is in how many lives each label was seen (``harness.marketplace.scenario.labels``).
    ``unexplained`` are operations that failed though nobody had struck them, by kind and SQLSTATE. ``minimal``: no
    single operation of the counterexample can go.
    ``also_broken`` are further properties that the same life broke, before it was made small.
    """

    seed: int
    replayed: int
    lives: int
    steps: int
    blocks: int
    distinct: int
    outcomes: int
    seen: Mapping[str, int]
    unexplained: Mapping[str, int]
    seconds: float
    counterexample: Counterexample | None = None
    minimal: bool = False
    also_broken: tuple[str, ...] = field(default=())


def check_model(
    machine: type[LifeMachine],
    order: Order,
    plan: Plan,
    theatre: Theatre,
    *,
    lives: int,
    steps: int,
    seed_: int,
    recordings: Sequence[Recording] = (),
    profile: settings | None = None,
    tick: Callable[[int, int], bool] | None = None,
) -> ModelReport:
    """First what ``recordings`` hold, then so many lives, made up from the seed: the same ones each time.

    ``profile`` may add an example database, which is asked first; ``tick`` is told of lives and blocks so far, and ends
    it when it returns False. Raises ``CouldNotRun`` when a failure is none when it is tried again, and what the subject
    or the server raises.
    """
    began = time.monotonic()
    life = Life(order.subject, theatre, order.isolation)
    seen: Counter[str] = Counter()

    def ended() -> None:
        going = tick is None or tick(seen["lives"], life.blocks_at_once)
        if not going or seen["lives"] >= lives:  # of its own accord Hypothesis would live some more
            raise _Enough

    for number, recording in enumerate(recordings, 1):
        if (small := rehearse(theatre, recording)) is not None:
            report = partial(ModelReport, seed_, number, 0, 0, 0, 0, 0, {}, {}, 0.0)
            return _explained(small, (number, time.monotonic() - began), (), order, plan, theatre, report)
    # Under the machine's own name: what an example database has kept of it belongs to it.
    names = {name: getattr(machine, name) for name in ("__module__", "__qualname__")}
    bound: Any = type(machine.__name__, (machine,), {**names, "life": life, "seen": seen, "ended": staticmethod(ended)})
    broken = None
    with suppress(_Enough):
        for number in range(-(-lives // ROUND)):
            bound.climbing = number % CLIMBING_EVERY == CLIMBING_EVERY - 1
            chosen = _settings(profile, min(ROUND, lives - number * ROUND), steps, climbing=bound.climbing)
            if broken := _first_broken(seed(seed_of(seed_, f"round {number}"))(bound), life, chosen):
                break
    if broken is None and life.last_broken is not None:
        # It was enough before the failure could be tried again.
        raise _flaky(f"a life broke a property, and was not lived again: {life.last_broken}")
    report = partial(
        ModelReport,
        seed=seed_,
        replayed=len(recordings),
        lives=seen.pop("lives", 0),
        steps=life.steps,
        blocks=life.blocks_at_once,
        distinct=len(life.traces),
        outcomes=len(life.outcomes),
        seen=dict(sorted(seen.items())),
        unexplained=dict(sorted(life.unexplained.items())),
        seconds=time.monotonic() - began,
    )
    if broken is None:
        return report()
    found_after = (life.steps, time.monotonic() - began)
    property_id, *others = dict.fromkeys(violation.property for violation in broken.violations)
    distilled = distil(life, broken, property_id)
    small = distilled and _finding(theatre, distilled, property_id)
    if small is None:
        raise _flaky(f"a life broke {property_id}, and the same life again did not: {broken}")
    return _explained(small, found_after, tuple(others), order, plan, theatre, report)


def rehearse(theatre: Theatre, recording: Recording) -> Small | None:
    """Run the scenario that a recording carries under its schedule: what was broken once must not be any more.

    None when the property is kept. Whatever the subject is: the schedule is taken as far as it makes sense.
    """
    scenario = written_scenario(recording)
    if scenario is None:
        raise UsageError(
            "no-written-scenario",
            f"the recording of {recording.property} on {recording.scenario} carries no scenario",
            expected="schedule files that harness model wrote",
        )
    return _finding(theatre, Distilled(scenario, switches_of(recording.decisions), 1), recording.property)


def _settings(profile: settings | None, lives: int, steps: int, *, climbing: bool) -> settings:
    return settings(
        profile or settings(database=None),
        max_examples=lives,
        stateful_step_count=steps,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        # What Hypothesis would shrink for minutes is made small by us: we know what a block is.
        phases=(Phase.reuse, Phase.generate, *([Phase.target] if climbing else [])),
    )


def _first_broken(machine: type[LifeMachine], life: Life, chosen: settings) -> Broken | None:
    try:
        with with_reporter(lambda _text: None):
            run_state_machine_as_test(machine, settings=chosen)
    except Flaky as error:
        raise _flaky(
            f"a life broke a property, and the same life again did not: {life.last_broken or error}"
        ) from error
    except Broken as broken:
        return broken
    except Hang as hang:
        raise _hang(hang) from hang
    return None


class Small(NamedTuple):
    """A scenario with a run of it that breaks a property; ``tries`` lives were lived to find it."""

    scenario: Scenario
    finding: Finding
    tries: int


def _explained(
    small: Small,
    found_after: tuple[int, float],
    others: tuple[str, ...],
    order: Order,
    plan: Plan,
    theatre: Theatre,
    report: Callable[..., ModelReport],
) -> ModelReport:
    property_id = small.finding.violation.property
    reduced = reduce(theatre.trial, small.scenario, property_id, finding=small.finding, schedules_max=REDUCTION_MAX)
    assert reduced is not None
    counterexample = counterexample_of(
        order,
        plan,
        reduced.scenario,
        theatre.trial(reduced.scenario),
        reduced.finding,
        proved=reduced.proved,
        tries=small.tries + reduced.schedules,
        found_after=found_after,
        written=write_scenario(reduced.scenario),
    )
    return report(counterexample=counterexample, minimal=reduced.minimal, also_broken=others)


def _finding(theatre: Theatre, distilled: Distilled, property_id: str) -> Small | None:
    try:
        run, history = theatre.trial(distilled.scenario).run(Sparse(distilled.schedule))
    except Hang as hang:
        raise _hang(hang) from hang
    violation = next(iter(check(history, (property_id,))), None)
    if violation is None:
        return None
    finding = Finding(violation, run, history, count_preemptions(run.decisions), distilled.tries)
    return Small(distilled.scenario, finding, distilled.tries)


def _flaky(seen: str) -> CouldNotRun:
    return CouldNotRun(
        "model-flaky",
        f"NONDETERMINISTIC: {seen}",
        expected="the same life whenever it is lived",
        remedy=LOOK_FOR_CHANCE,
    )


def _hang(hang: Hang) -> CouldNotRun:
    return CouldNotRun("model-hang", f"HANG: {hang.why}: {hang.picture}", remedy="look at what that session waits for")
