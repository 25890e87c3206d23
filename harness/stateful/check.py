"""Check a model: so many lives on a subject, and of the first that breaks a property the smallest that does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import Flaky
from hypothesis.reporting import with_reporter
from hypothesis.stateful import run_state_machine_as_test

from harness.db.plan import Plan
from harness.engine.campaign import Finding
from harness.explore.sparse import Sparse
from harness.marketplace.notation import write_scenario
from harness.marketplace.properties import check
from harness.stateful.distil import Distilled, distil
from harness.stateful.life import Broken, Life
from harness.stateful.machine import LifeMachine
from harness.verify.counterexample import counterexample_of
from harness.verify.enquiry import seed_of
from harness.verify.orders import Counterexample, Order
from harness.verify.reduce import reduce
from harness.verify.theatre import Theatre
from harness.words.errors import CouldNotRun
from harness.words.schedule import count_preemptions

LIVES, STEPS = 100, 40
"""How many lives, and of how many steps each, if nothing else is asked for."""

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

    ``steps`` are those of all lives; ``blocks`` are the steps with several sessions, ``distinct`` how many of these
    differ in what was asked or in who took which step, ``outcomes`` in how many different ways they ended. ``seen`` is
    in how many lives each label was seen (``harness.marketplace.scenario.labels``). ``minimal``: no single operation of
    the counterexample can go.
    """

    seed: int
    lives: int
    steps: int
    blocks: int
    distinct: int
    outcomes: int
    seen: Mapping[str, int]
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
    lives: int = LIVES,
    steps: int = STEPS,
    seed_: int = 0,
    profile: settings | None = None,
    tick: Callable[[int, int], bool] | None = None,
) -> ModelReport:
    """Live so many lives, made up from the seed: the same ones each time.

    ``profile`` may add an example database; ``tick`` is told of lives and blocks so far, and ends it when it returns
    False. Raises ``CouldNotRun`` when a
    failure is none when it is tried again, and what the subject or the server raises.
    """
    life = Life(order.subject, theatre, order.isolation)
    seen: Counter[str] = Counter()

    def ended() -> None:
        if tick is not None and not tick(seen["lives"], life.blocks_at_once):
            raise _Enough

    bound: Any = type(machine.__name__, (machine,), {"life": life, "seen": seen, "ended": staticmethod(ended)})
    began = time.monotonic()
    broken = None
    for number in range(-(-lives // ROUND)):
        bound.climbing = number % CLIMBING_EVERY == CLIMBING_EVERY - 1
        chosen = _settings(profile, min(ROUND, lives - number * ROUND), steps, climbing=bound.climbing)
        if broken := _first_broken(seed(seed_of(seed_, f"round {number}"))(bound), life, chosen):
            break
    report = partial(
        ModelReport,
        seed=seed_,
        lives=seen.pop("lives", 0),
        steps=life.steps,
        blocks=life.blocks_at_once,
        distinct=len(life.traces),
        outcomes=len(life.outcomes),
        seen=dict(sorted(seen.items())),
        seconds=time.monotonic() - began,
    )
    if broken is None:
        return report()
    return _explained(broken, life, order, plan, theatre, report)


def _settings(profile: settings | None, lives: int, steps: int, *, climbing: bool) -> settings:
    return settings(
        profile,
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
    except _Enough:
        return None
    return None


def _explained(
    broken: Broken, life: Life, order: Order, plan: Plan, theatre: Theatre, report: Callable[..., ModelReport]
) -> ModelReport:
    property_id = broken.violations[0].property
    found_after = life.blocks_at_once
    small = distil(life, broken, property_id)
    finding = None if small is None else _finding(theatre, small, property_id)
    if small is None or finding is None:
        raise _flaky(f"a life broke {property_id}, and the same life again did not: {broken}")
    reduced = reduce(theatre.trial, small.scenario, property_id, finding=finding, schedules_max=REDUCTION_MAX)
    assert reduced is not None
    counterexample = counterexample_of(
        order,
        plan,
        reduced.scenario,
        theatre.trial(reduced.scenario),
        reduced.finding,
        proved=reduced.proved,
        tries=small.tries + reduced.schedules,
        found_after=(found_after, 0.0),
        written=write_scenario(reduced.scenario),
    )
    return report(
        counterexample=counterexample,
        minimal=reduced.minimal,
        also_broken=tuple(sorted({each.property for each in broken.violations} - {property_id})),
    )


def _finding(theatre: Theatre, small: Distilled, property_id: str) -> Finding | None:
    run, history = theatre.trial(small.scenario).run(Sparse(small.schedule))
    violation = next(iter(check(history, (property_id,))), None)
    return (
        None if violation is None else Finding(violation, run, history, count_preemptions(run.decisions), small.tries)
    )


def _flaky(seen: str) -> CouldNotRun:
    return CouldNotRun(
        "model-flaky",
        f"NONDETERMINISTIC: {seen}",
        expected="the same life whenever it is lived",
        remedy="look for clocks, random values, other clients or changed SQL in what is tested",
    )
