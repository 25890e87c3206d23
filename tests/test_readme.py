"""The README's sample output is what the command prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from harness.marketplace.planted import fault_files
from harness.marketplace.properties import PROPERTIES
from harness.resources import bundled

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
WORDS = {15: "Fifteen", 16: "Sixteen", 17: "Seventeen", 18: "Eighteen", 19: "Nineteen", 20: "Twenty"}
_BLOCK = re.compile(r"<!-- output: (.+?) -->\n```\n(.*?)```\n<!-- end of output -->", re.DOTALL)


def scrubbed(text: str) -> str:
    """Without what differs from run to run: seconds (and where their lines break), the run's id, the server."""
    text = re.sub(r"\d+(\.\d+)? s\b", "T s", text)
    text = re.sub(r"\b\d{8}-\d{6}-([\w-]+)-[0-9a-f]{6}\b", r"WHEN-\1", text)
    return " ".join(re.sub(r"PostgreSQL \d+(\.\d+)+", "PostgreSQL N", text).split())


def test_the_sample_output_is_what_the_command_prints(tmp_path: Path) -> None:
    ((arguments, expected),) = _BLOCK.findall(README.read_text(encoding="utf-8"))
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "100"},
    )
    assert done.returncode == 1, done.stderr
    shown, _, rest = expected.partition("[...]")
    assert rest.strip() == ""
    assert scrubbed(done.stdout).startswith(scrubbed(shown))
    assert len(shown.splitlines()) > 50


def test_the_counts_are_those_of_today() -> None:
    text = README.read_text(encoding="utf-8")
    assert f"[{WORDS[len(PROPERTIES)]} properties]" in text
    for page in (README, ROOT / "docs" / "what-a-pass-proves.md"):
        told = re.findall(r"\[(\d+) planted faults\]", page.read_text(encoding="utf-8"))
        assert told == [str(len(fault_files(bundled("sql"))))]
