"""A model on a server, in this process: what ``harness model`` does, and a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import settings

from harness.db.any_server import AnyServer
from harness.marketplace.subject import Subject
from harness.stateful.check import check_model
from harness.stateful.document import model_document
from harness.stateful.machine import LifeMachine
from harness.verify.alone import staged
from harness.verify.document import subject_entry
from harness.words.recording import Recording


def live(
    server: AnyServer,
    subject: Subject,
    machine: type[LifeMachine],
    *,
    lives: int,
    steps: int,
    seed: int,
    isolation: str,
    schedule_files: Path,
    recordings: Sequence[Recording] = (),
    profile: settings | None = None,
    tick: Callable[[int, int], bool] | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Check the model on an open server and return the run document (``harness.stateful.document``).

    ``tick`` is told of lives and blocks so far, and ends it early when it returns False; ``interrupted`` says in the
    end whether that was Ctrl-C. Raises what ``check_model`` raises.
    """
    with staged(server, subject, isolation, seed=seed) as (order, plan, theatre):
        report = check_model(
            machine,
            order,
            plan,
            theatre,
            lives=lives,
            steps=steps,
            seed_=seed,
            recordings=recordings,
            profile=profile,
            tick=tick,
        )
        points = len(plan.points)
    return model_document(
        report,
        subject=subject_entry(subject, points),
        server={"version": server.version, "local": server.local},
        limits={"lives": lives, "steps": steps},
        interrupted=interrupted(),
        schedule_files=schedule_files,
    )
