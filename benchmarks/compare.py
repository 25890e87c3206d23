"""How often is `harness compare` wrong? Whole runs of a version against itself, and against one that is slower.

    python -m benchmarks.compare [--runs 100] [--plants 50] [--only aa,cpu,lock,index] [--out FILE]

`aa` is the reference against itself. The others are the reference with one thing in complete_credit_lead_purchase:
`cpu` a loop that adds 10 % to its processor time (calibrated first, by measuring both), `lock` one more SELECT ...
FOR UPDATE, `index` the index of reservations dropped. Each run is `harness compare` from an empty server to its
document, all functions, its own seed; one of a plant ends with the first that is slower (--fail-fast). One JSON line
per run is appended, so that it can be interrupted and go on; what is there already counts. Exit 1 when more than 2 of
100 A/A runs say slower, or a plant is found in less than 48 of 50, or without its cause.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from math import expm1, log
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from harness.compare.core import on_one_core
from harness.compare.plan import plan_for
from harness.compare.run import Options, compare
from harness.compare.side import Side, make_ready
from harness.compare.version import Version
from harness.db.provision import provision
from harness.marketplace.subject import Subject, digest_of, load_subject
from harness.resources import bundled
from harness.verify.prepared import new_database

FUNCTION = "complete_credit_lead_purchase"
OPERATION = "complete_credit"
FILE = "20260205000001_fix_payment_race_conditions.sql"
BEFORE = "  INSERT INTO credit_ledger"
"""Where in the function the plants go."""
LOCK = "  PERFORM FROM workspaces WHERE id = p_workspace_id FOR UPDATE;\n"
INDEX = "DROP INDEX lead_reservations_lead;\n"
CAUSES = {"cpu": ("source", "LOOP"), "lock": ("lock", "FOR UPDATE"), "index": ("index", "lead_reservations_lead")}
"""Plant to the kind of its cause, and what the sentence must name."""


def loop(times: int) -> str:
    """PL/pgSQL that takes time and touches no data."""
    return f"  FOR i IN 1..{times} LOOP\n    refusal := NULL;\n  END LOOP;\n"


def with_statement(statement: str) -> str:
    """The function with a statement more, as a migration."""
    text = (bundled("sql") / "reference" / "migrations" / FILE).read_text(encoding="utf-8")
    found = re.search(rf"CREATE (FUNCTION {FUNCTION}\(.*?\n\$\$;)", text, re.DOTALL)
    assert found is not None
    return f"CREATE OR REPLACE {found[1]}\n".replace(BEFORE, statement + BEFORE)


@contextmanager
def planted(sql: str) -> Iterator[Subject]:
    """The reference with one migration more."""
    reference = load_subject("reference", bundled("sql"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "20270101000000_planted.sql"
        path.write_text(sql, encoding="utf-8")
        migrations = (*reference.migrations, path)
        yield replace(reference, name="planted", migrations=migrations, digest=digest_of(reference.file, migrations))


def run(candidate: Subject, seed: int, budget_s: float) -> dict[str, Any]:
    """One whole run."""
    base = load_subject("reference", bundled("sql"))
    options = Options(
        Version("reference", base), Version(candidate.name, candidate), budget_s, seed=seed, fail_fast=True
    )
    with provision() as server:
        return compare(server, options, lambda *_: None)


def calibrated(share: float = 0.10, times: int = 4000, pairs: int = 2000) -> int:
    """How often the loop must run to add that share to the function's processor time.

    A comparison ends when it knows enough, mostly by luck; this goes on to the end.
    """
    random, increases = Random(0), list[float]()
    with planted(with_statement(loop(times))) as subject, provision() as server, ExitStack() as exits:
        subjects = {"base": load_subject("reference", bundled("sql")), "candidate": subject}
        plan = plan_for(list(subjects.values()), 0, only=(OPERATION,), rounds=pairs)
        server.ensure_roles(subject.roles)
        sides = []
        for name, each in subjects.items():
            dsn = server.dsn(exits.enter_context(new_database(server)))
            make_ready(dsn, each, plan)
            sides.append(Side(name, each, dsn, plan, local=server.local))
            exits.callback(sides[-1].close)
            sides[-1].open()
            sides[-1].warm(OPERATION)
        exits.enter_context(on_one_core([pid for side in sides for pid in side.pids]))
        for _ in range(pairs):
            cpu = {
                side.name: side.call(OPERATION, random.randrange(side.sessions))["cpu"]
                for side in random.sample(sides, len(sides))
            }
            base, candidate = cpu["base"], cpu["candidate"]
            assert base, "processor time cannot be measured here"
            assert candidate
            increases.append(log(candidate / base))
    return round(times * share / expm1(median(increases)))


def line_of(kind: str, seed: int, document: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """What is kept of a run."""
    slower = [each for each in document["functions"] if each["verdict"] == "slower"]
    entry = next((each for each in document["functions"] if each["id"] == OPERATION), None)
    cause = [each for one in slower for each in one["cause"]]
    wanted = CAUSES.get(kind)
    named = wanted is not None and any(each["kind"] == wanted[0] and wanted[1] in each["text"] for each in cause)
    return {
        "kind": kind,
        "seed": seed,
        "verdict": document["verdict"],
        "slower": [each["id"] for each in slower],
        "cannot_tell": [each["id"] for each in document["functions"] if each["verdict"] == "cannot_tell"],
        "off": document["against_itself"]["off"],
        "found": bool(slower),
        "named": named,
        "cause": [each["text"] for each in cause],
        "increases": {
            each["id"]: each["increase"]["middle"] for each in (entry["figures"] if entry else []) if each["increase"]
        },
        "seconds": round(seconds, 2),
    }


def read(path: Path) -> list[dict[str, Any]]:
    """The runs that are there already; a line that was cut off is none."""
    if not path.exists():
        return []
    found = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found


def told(runs: list[dict[str, Any]]) -> tuple[str, bool]:
    """The counts in words, and whether they are good enough."""
    lines, good = [], True
    for kind in dict.fromkeys(each["kind"] for each in runs):
        own = [each for each in runs if each["kind"] == kind]
        verdicts = Counter(each["verdict"] for each in own)
        seconds = median(each["seconds"] for each in own)
        text = ", ".join(f"{word} {number}" for word, number in verdicts.most_common())
        if kind == "aa":
            good &= verdicts["slower"] <= len(own) * 0.02
            lines.append(f"aa     {len(own)} runs of {seconds:.1f} s: {text}")
        else:
            found, named = sum(each["found"] for each in own), sum(each["found"] and each["named"] for each in own)
            good &= named >= len(own) * 0.96
            lines.append(f"{kind:6} {len(own)} runs of {seconds:.1f} s: found in {found}, with its cause in {named}")
    return "\n".join(lines), good


def main() -> int:
    """Run what is missing, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100, help="of the A/A")
    parser.add_argument("--plants", type=int, default=50, help="of each plant")
    parser.add_argument("--only", default="aa,cpu,lock,index")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of a run")
    parser.add_argument("--loops", type=int, help="of the plant cpu; calibrated if left out")
    parser.add_argument("--out", type=Path, default=Path("reports/compare-runs.jsonl"))
    options = parser.parse_args()
    done = read(options.out)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for kind in options.only.split(","):
        seeds = {each["seed"] for each in done if each["kind"] == kind}
        missing = [seed for seed in range(options.runs if kind == "aa" else options.plants) if seed not in seeds]
        if not missing:
            continue
        sql = INDEX if kind == "index" else with_statement(LOCK) if kind == "lock" else ""
        if kind == "cpu":
            loops = options.loops or calibrated()
            print(f"cpu: {loops} times round the loop", flush=True)
            sql = with_statement(loop(loops))
        with planted(sql) as subject:
            if kind == "aa":
                subject = load_subject("reference", bundled("sql"))
            for seed in missing:
                began = monotonic()
                document = run(subject, seed, options.budget)
                line = line_of(kind, seed, document, monotonic() - began)
                done.append(line)
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                print(f"{kind} {seed}: {line['verdict']} {line['slower']} {line['seconds']} s", flush=True)
    text, good = told(done)
    print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
