"""How many schedules a second: this engine beside PostgreSQL's own isolationtester, in one interleaved run.

    python -m benchmarks.engine_vs_isolationtester [--rounds 5] [--tester PATH]

Both work on the same server with the same statements and the same reset before each schedule, one process each, in
turn: isolationtester, the engine pinned to one core with its backends, the engine free to migrate. Three workloads of
two sessions with four statements each:

- plain: no statement ever waits (70 schedules).
- waits: both update one row in a transaction. isolationtester is given the schedules that are possible (ours finds them
  by itself: an impossible one makes isolationtester wait for its time-out).
- inside: the four statements are inside a function. isolationtester needs gates written by hand (advisory locks that a
  third session gives back, one step each); ours instruments the function.

A rate is schedules by seconds from the first to the last: the time of a run with one schedule is taken off the time of
isolationtester's, ours is measured within the process. isolationtester is in Debian's postgresql-server-dev-15, in
/usr/lib/postgresql/15/lib/pgxs/src/test/isolation/.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from harness.db.entry import entries
from harness.db.instrument import install, plan
from harness.db.pinning import choose_core, pin
from harness.db.provision import provision
from harness.db.stage import PostgresStage, install_gate
from harness.engine.execution import Execution
from harness.engine.recorder import Recorder
from harness.explore.exhaustive import Exhaustive
from harness.words.history import Result, Status

TESTER = "/usr/lib/postgresql/15/lib/pgxs/src/test/isolation/isolationtester"
RESET = "DELETE FROM account; INSERT INTO account VALUES (1, 100), (2, 100), (3, 100);"
TARGETS = {"plain": 5.0, "waits": 5.0, "inside": 40.0}

READ = "SELECT balance FROM account WHERE id = {}"
SPEND = "UPDATE account SET balance = balance - 1 WHERE id = {}"
STATEMENTS = {
    "plain": [[READ.format(row), SPEND.format(row)] * 2 for row in (1, 2)],
    "waits": [[READ.format(row), SPEND.format(3), READ.format(row), "COMMIT"] for row in (1, 2)],
}

FUNCTIONS = """
CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL);
CREATE FUNCTION spend(p_id int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE seen int;
BEGIN
  SELECT balance INTO seen FROM account WHERE id = p_id;
  UPDATE account SET balance = balance - 1 WHERE id = p_id;
  SELECT balance INTO seen FROM account WHERE id = p_id;
  UPDATE account SET balance = balance - 1 WHERE id = p_id;
END $$;
CREATE FUNCTION gate(p_key int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_lock(p_key);
  PERFORM pg_advisory_unlock(p_key);
END $$;
CREATE FUNCTION spend_with_gates(p_id int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE seen int;
BEGIN
  PERFORM gate(p_id * 10 + 1);
  SELECT balance INTO seen FROM account WHERE id = p_id;
  PERFORM gate(p_id * 10 + 2);
  UPDATE account SET balance = balance - 1 WHERE id = p_id;
  PERFORM gate(p_id * 10 + 3);
  SELECT balance INTO seen FROM account WHERE id = p_id;
  PERFORM gate(p_id * 10 + 4);
  UPDATE account SET balance = balance - 1 WHERE id = p_id;
END $$;
"""


def interleavings(lengths: Sequence[int] = (4, 4)) -> list[tuple[int, ...]]:
    """Every order in which two sessions can take so many steps."""
    places = range(sum(lengths))
    return [tuple(int(place not in mine) for place in places) for mine in combinations(places, lengths[0])]


def spec(workload: str, schedules: Sequence[Sequence[int]]) -> str:
    """The workload as an isolationtester specification with these schedules as its permutations."""
    lines = [f"setup {{ {RESET} }}", "teardown { SELECT 1; }"]
    if workload == "inside":
        keys = [session * 10 + number for session in (1, 2) for number in (1, 2, 3, 4)]
        for session in (1, 2):
            lines += [f"session s{session}", f"step call{session} {{ SELECT spend_with_gates({session}); }}"]
        lines += ["session keeper", f"setup {{ {' '.join(f'SELECT pg_advisory_lock({key});' for key in keys)} }}"]
        lines += [f"step open{key} {{ SELECT pg_advisory_unlock({key}); }}" for key in keys]
        for schedule in schedules:
            steps, opened = ["call1", "call2"], [0, 0]
            for session in schedule:
                opened[session] += 1
                steps.append(f"open{(session + 1) * 10 + opened[session]}")
            lines.append("permutation " + " ".join(steps))
        return "\n".join(lines) + "\n"
    for number, statements in enumerate(STATEMENTS[workload]):
        lines.append(f"session s{number}")
        if workload == "waits":
            lines.append("setup { BEGIN; }")
        lines += [f"step s{number}_{place} {{ {statement}; }}" for place, statement in enumerate(statements)]
    for schedule in schedules:
        steps, taken = [], [0, 0]
        for session in schedule:
            steps.append(f"s{session}_{taken[session]}")
            taken[session] += 1
        lines.append("permutation " + " ".join(steps))
    return "\n".join(lines) + "\n"


def run_tester(tester: str, dsn: str, text: str) -> float:
    """Seconds that isolationtester takes for a specification."""
    began = time.perf_counter()
    subprocess.run([tester, dsn], input=text, text=True, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


async def perform(connection: Any, statement: str) -> Result:
    cursor = await connection.execute(statement)
    if cursor.description:
        await cursor.fetchall()
    return Result(Status.OK)


def programs(workload: str, recorder: Recorder) -> list[Callable[[Any], Coroutine[Any, Any, None]]]:
    if workload == "inside":
        return [recorder.program(number, [f"SELECT spend({number + 1})"], perform) for number in (0, 1)]
    opening = ["BEGIN"] if workload == "waits" else []
    return [
        recorder.program(number, opening + statements, perform)
        for number, statements in enumerate(STATEMENTS[workload])
    ]


def pin_to(core: int, pid: int) -> None:
    pin([pid], core)


def explore(dsn: str, workload: str, at_least: int, pinned: bool) -> dict[str, Any]:
    """Exhaust the workload again and again until ``at_least`` schedules were run; the rate, and the schedules."""
    core = choose_core(0)
    to_core = partial(pin_to, core) if pinned else None
    if to_core is not None:
        to_core(os.getpid())
    traces: list[list[int]] = []
    done = steps = 0
    with psycopg.connect(dsn, autocommit=True) as connection:
        if to_core is not None:
            to_core(connection.info.backend_pid)
        known = {"spend": frozenset(range(1, 1000))}
        with PostgresStage(dsn, local=True, pin=to_core) as stage:
            recorder = Recorder()
            execution = Execution(stage)
            cast = programs(workload, recorder)
            began = time.perf_counter()
            while done < at_least:
                traces.clear()
                strategy = Exhaustive()
                while strategy.begin():
                    connection.pgconn.exec_(RESET.encode())
                    recorder.clear()
                    stage.set_scene(cast, known)
                    run = execution.run(strategy, recorder)
                    strategy.end(run.decisions)
                    traces.append([decision.chosen for decision in run.decisions])
                    done += 1
                    steps += run.steps
                    if done == at_least:
                        break
            seconds = time.perf_counter() - began
    return {"rate": done / seconds, "steps": steps / seconds, "traces": traces}


def explore_in_a_process(dsn: str, workload: str, at_least: int, pinned: bool) -> dict[str, Any]:
    arguments = [sys.executable, "-m", "benchmarks.engine_vs_isolationtester", "--explore", workload]
    arguments += ["--dsn", dsn, "--schedules", str(at_least)] + (["--pinned"] if pinned else [])
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tester", default=TESTER)
    parser.add_argument("--workload", choices=[*TARGETS], action="append")
    parser.add_argument("--explore", choices=[*TARGETS])
    parser.add_argument("--dsn")
    parser.add_argument("--schedules", type=int, default=0)
    parser.add_argument("--pinned", action="store_true")
    chosen = parser.parse_args()
    if chosen.explore:
        print(json.dumps(explore(chosen.dsn, chosen.explore, chosen.schedules, chosen.pinned)))
        return
    if not Path(chosen.tester).exists():
        raise SystemExit(f"no isolationtester at {chosen.tester}: apt-get install postgresql-server-dev-15")
    with provision("embedded") as server, server.database() as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            install_gate(connection)
            connection.execute(FUNCTIONS.encode())
            instrumentation = plan(connection, ["public"])
            # Only the function that ours schedules: the gates of the other one are written by hand.
            install(connection, instrumentation)
            assert "spend" in entries(instrumentation)
        for workload in chosen.workload or TARGETS:
            measure(chosen.tester, dsn, workload, chosen.rounds)


def measure(tester: str, dsn: str, workload: str, rounds: int) -> None:
    possible: Sequence[Sequence[int]] = interleavings()
    if workload == "waits":
        possible = explore_in_a_process(dsn, workload, 70, True)["traces"]
    theirs_repeated = 1 if workload == "inside" else 8
    at_least = 1500
    theirs, pinned, free = [], [], []
    for _ in range(rounds):
        one = run_tester(tester, dsn, spec(workload, possible[:1]))
        many = run_tester(tester, dsn, spec(workload, [*possible] * theirs_repeated))
        theirs.append((len(possible) * theirs_repeated - 1) / (many - one))
        pinned.append(explore_in_a_process(dsn, workload, at_least, True))
        free.append(explore_in_a_process(dsn, workload, at_least, False))
    for name, ours in (("pinned", pinned), ("free", free)):
        ratios = sorted(one["rate"] / other for one, other in zip(ours, theirs, strict=True))
        print(
            f"{workload:7} {len(possible):3} schedules: isolationtester {median(theirs):7.1f}/s, "
            f"engine {name:6} {median(one['rate'] for one in ours):7.1f}/s "
            f"({median(one['steps'] for one in ours):7.0f} steps/s), ratio {median(ratios):6.1f} "
            f"({ratios[0]:.1f} to {ratios[-1]:.1f}), target {TARGETS[workload]:g}"
            f"{' (counts)' if name == 'free' else ''}",
            flush=True,
        )


if __name__ == "__main__":
    main()
