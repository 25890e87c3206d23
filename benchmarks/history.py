"""What the check of a load history costs: time per operation and memory, from ten thousand operations to a million.

    python -m benchmarks.history [--operations 10000 100000 1000000]

Histories are made up (``made_history``), some thirty operations at a time, and checked in a process of their own, whose
processor time and peak memory are told. Each is checked twice: as it is, where it must hold, and with every fault
planted in it, where each must be found. Exit 1 when one does not, or is not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

from benchmarks.made_history import PLANTED, Maker
from harness.load.history import check_history
from harness.load.journal import CommitJournal

OPERATIONS = (10_000, 100_000, 1_000_000)


def check(folder: Path) -> None:
    """Check the history in a folder, and print what it cost and came to, as JSON."""
    paths = sorted(folder.glob("*.jsonl"))
    before_mb = peak_mb()
    began = process_time()
    verdict = check_history(paths, CommitJournal(folder / "journal"))
    print(
        json.dumps(
            {
                "seconds": process_time() - began,
                "mb": peak_mb(),
                "mb_before": before_mb,
                "operations": verdict.counts["operations"],
                "judgement": verdict.judgement.value,
                "found": [each.why for each in verdict.listed],
            }
        )
    )


def peak_mb() -> float:
    """The most memory that this process has had."""
    return getrusage(RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def measure(operations: int, faults: tuple[str, ...]) -> bool:
    """Make one history, check it, print a line; true when it came to what it should."""
    with TemporaryDirectory() as folder:
        # Both in processes of their own: one that is big would pass on its size to its children.
        planted = _run("--make", folder, "--operations", str(operations), "--faults", *faults)
        told = _run("--check", folder)
    found = {fault for fault, shows in planted.items() if any(shows in why for why in told["found"])}
    right = told["judgement"] == ("violated" if faults else "holds") and found == set(faults)
    print(
        f"{told['operations']:>9,} operations: {told['seconds'] / told['operations'] * 1e6:5.1f} us each, "
        f"{told['seconds']:6.1f} s, {told['mb']:5.0f} MB (of which {told['mb_before']:.0f} the program); "
        f"{told['judgement']}, {len(found)} of {len(faults)} faults found",
        flush=True,
    )
    return right


def _run(*options: str) -> Any:
    program = [sys.executable, "-m", "benchmarks.history", *options]
    return json.loads(subprocess.run(program, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--operations", type=int, nargs="+", default=OPERATIONS)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--faults", nargs="*", default=(), help=argparse.SUPPRESS)
    parser.add_argument("--check", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.make is not None:
        maker = Maker(chosen.make, chosen.operations[0], faults=tuple(chosen.faults))
        maker.make()
        print(json.dumps(maker.planted))
        return
    if chosen.check is not None:
        check(chosen.check)
        return
    right = [measure(count, faults) for count in chosen.operations for faults in ((), tuple(PLANTED))]
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
