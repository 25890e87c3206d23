"""What a verification explores and finds within its budget: the figures of the README.

python -m benchmarks.verify [--budget 60s] [SUBJECT ...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def verify(subject: str, budget: str, directory: Path) -> dict[str, Any]:
    """The run document of ``harness verify``."""
    file = directory / f"{subject}.json"
    arguments = [
        sys.executable,
        "-m",
        "harness",
        "verify",
        "--subject",
        subject,
        "--budget",
        budget,
        "--json",
        str(file),
    ]
    subprocess.run([*arguments, "--schedules", str(directory)], check=False, stdout=subprocess.DEVNULL)
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--budget", default="60s")
    parser.add_argument("subject", nargs="*", default=["reference", "published", "before"])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        for subject in chosen.subject:
            document = verify(subject, chosen.budget, Path(directory))
            print(
                f"\n{subject}: {document['verdict']} (exit {document['exit_code']}), "
                f"{document['distinct_schedules']} distinct of {document['schedules']} schedules, "
                f"{document['seconds']:.0f} s in all, {document['server']['workers']} workers"
            )
            for entry in document["properties"]:
                shown = entry["counterexample"]
                found = (
                    f"after {shown['found_after_seconds']:.2f} s and {shown['found_after_schedules']} schedules of "
                    f"{shown['scenario']}, {shown['preemptions']} preemptions"
                    f"{' (proved minimum)' if shown['proved_minimum'] else ''}, "
                    f"replayed {shown['reproduced']} of {shown['replays']}"
                    if shown
                    else ""
                )
                print(f"  {entry['id']:25} {entry['verdict']:15} {entry['schedules']:6} schedules  {found}")
            print("  scenario, certificate, distinct schedules, median steps of a schedule")
            for entry in document["scenarios"]:
                bound = "" if entry["preemption_bound"] is None else f" up to {entry['preemption_bound']} preemptions"
                print(
                    f"    {entry['name']:45} {entry['certificate']}{bound:22} {entry['distinct_schedules']:6} "
                    f"{entry['steps_median']:5g}"
                )


if __name__ == "__main__":
    main()
