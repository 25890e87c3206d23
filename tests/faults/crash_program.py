"""A program that crashes a server of its own for ever: ``crash_program.py BASE``. The tests interrupt it."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.db.binaries import choose_binaries
from harness.db.server import Server
from harness.faults.crash import CRASHABLE, CrashReport, crash_rounds
from harness.marketplace.subject import load_subject
from harness.resources import bundled


def tell(report: CrashReport) -> None:
    print(report.rounds, flush=True)


def main() -> None:
    with Server(choose_binaries("auto"), settings=CRASHABLE, directory=Path(sys.argv[1])) as server:
        crash_rounds(server, load_subject("reference", bundled("sql")), rounds=10_000, seed=0, tick=tell)


if __name__ == "__main__":
    main()
