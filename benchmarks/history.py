"""What the check of a load history costs: time per operation and memory, from ten thousand operations to a million.

    python -m benchmarks.history [--operations 10000 100000 1000000]

Histories are made up (``made_history``), some thirty operations at a time, and checked in a process of their own, whose
processor time and peak memory are told. Each is checked twice: as it is, where it must hold, and with every fault
planted in it, where each must be found. Exit 1 when one does not, or is not. Linux, for the memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

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
    """The most memory that this process has had, of its own: getrusage would tell that of its parent, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(operations: int, faults: tuple[str, ...]) -> bool:
    """Make one history, check it, print a line; true when it came to what it should."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        maker = Maker(folder, operations, faults=faults)
        maker.make()
        program = [sys.executable, "-m", "benchmarks.history", "--check", name]
        told = json.loads(subprocess.run(program, check=True, capture_output=True, text=True).stdout)
    found = {fault for fault, shows in maker.planted.items() if any(shows in why for why in told["found"])}
    right = told["judgement"] == ("violated" if faults else "holds") and found == set(faults)
    print(
        f"{told['operations']:>9,} operations: {told['seconds'] / told['operations'] * 1e6:5.1f} us each, "
        f"{told['seconds']:6.1f} s, {told['mb']:5.0f} MB (of which {told['mb_before']:.0f} the program); "
        f"{told['judgement']}, {len(found)} of {len(faults)} faults found",
        flush=True,
    )
    return right


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--operations", type=int, nargs="+", default=OPERATIONS)
    parser.add_argument("--check", type=Path)
    chosen = parser.parse_args()
    if chosen.check is not None:
        check(chosen.check)
        return
    right = [measure(count, faults) for count in chosen.operations for faults in ((), tuple(PLANTED))]
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
