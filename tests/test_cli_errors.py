"""docs/errors.md and the code name the same errors, with the same exit codes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from harness.db.owner import KNOWN
from harness.marketplace.subject import REQUIRED
from harness.words.errors import CouldNotRun, ExitCode, HarnessError, UsageError

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "errors.md").read_text()
CODES = {
    "UsageError": UsageError.exit_code,
    "CouldNotRun": CouldNotRun.exit_code,
    "HarnessError": HarnessError.exit_code,
    "HarnessError.__init__": HarnessError.exit_code,
}
COMPUTED = {
    "harness/db/owner.py": {slug for _, slug, _ in KNOWN},
    "harness/marketplace/world.py": {f"bad-{table.removesuffix('s')}" for table in REQUIRED},
}
"""Where the word is no constant: which words it can be."""


def raised() -> dict[str, set[int]]:
    """Every word in the code, with the exit codes of the errors that have it."""
    found: dict[str, set[int]] = {}
    for path in (ROOT / "harness").rglob("*.py"):
        tree = ast.parse(path.read_text())
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        ours = any("HarnessError" in map(ast.unparse, node.bases) for node in classes)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if name == "super().__init__" and ours:
                name = "HarnessError"
            arguments = [each for each in node.args if ast.unparse(each) != "self"]
            if name not in CODES or not arguments or path.name == "errors.py":
                continue
            word = arguments[0]
            words = {word.value} if isinstance(word, ast.Constant) else COMPUTED[path.relative_to(ROOT).as_posix()]
            for each in words:
                found.setdefault(str(each), set()).add(int(CODES[name]))
    return found


def documented() -> dict[str, int]:
    """Every word of the page, with the exit code of its section."""
    found: dict[str, int] = {}
    for code, section in re.findall(r"^## Exit (\d):.*?\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL):
        for word in re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE):
            assert word not in found, f"{word} is there twice"
            found[word] = int(code)
    return found


def test_every_error_is_explained_and_every_explanation_has_its_error() -> None:
    code, page = raised(), documented()
    assert len(code) > 60
    assert {"missing": sorted(code.keys() - page.keys()), "stale": sorted(page.keys() - code.keys())} == {
        "missing": [],
        "stale": [],
    }


def test_a_word_has_one_exit_code_and_the_page_says_which() -> None:
    page = documented()
    assert {word: codes for word, codes in raised().items() if codes != {page[word]}} == {}


def test_every_explanation_says_what_to_do() -> None:
    rows = re.findall(r"^\| `[a-z-]+` \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
    assert len(rows) == len(documented())
    assert all(meaning and remedy for meaning, remedy in rows)


def test_all_exit_codes_are_explained() -> None:
    assert set(re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)) == {str(int(code)) for code in ExitCode}
