"""docs/your-own-functions.md: its files are run, its output is what is printed, its options are those there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from harness.pytest_plugin import OPTIONS
from tests.test_pytest_plugin import run

PAGE = (Path(__file__).parents[1] / "docs" / "your-own-functions.md").read_text(encoding="utf-8")
FILES = re.findall(r"^<!-- file: (\S+?)(?:, fails: (\w+))? -->\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, _, text in FILES:
        (tmp_path / name).write_text(text)
    return tmp_path


def scrubbed(text: str) -> str:
    """Without seconds, and without pytest's margin."""
    lines = [re.sub(r"^E +(?:harness\.\w+\.Unproved: )?|^E$", "", line.rstrip()) for line in text.splitlines()]
    return re.sub(r"\d+(\.\d+)?\s+s\b", "T s", " ".join(" ".join(lines).split()))


def test_the_files_do_as_the_page_says(server: AnyServer, directory: Path) -> None:
    ended = run(directory, "-rA", f"--harness-dsn={server.dsn()}")
    failed = set(re.findall(r"^FAILED \S+::(\w+)", ended.out, re.MULTILINE))
    assert failed == {name for _, name, _ in FILES if name}, ended.out
    passed = set(re.findall(r"^PASSED \S+?::(\w+)", ended.out, re.MULTILINE))
    tests = {name for _, _, text in FILES for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    assert passed == tests - failed
    (shown,) = re.findall(r"^<!-- output of: test_account.py -->\n```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert scrubbed(shown) in scrubbed(ended.out)


def test_the_repair_does_as_the_page_says(server: AnyServer, directory: Path) -> None:
    text = (directory / "accounts.sql").read_text()
    (directory / "accounts.sql").write_text(
        text.replace("WHERE id = p_account;", "WHERE id = p_account FOR UPDATE;", 1)
    )
    models = (directory / "test_kinds.py").read_text()
    (directory / "test_kinds.py").write_text(models.replace("(Account, 1)", "(Account, 1, with_for_update=True)"))
    ended = run(directory, f"--harness-dsn={server.dsn()}", "test_account.py", "test_kinds.py")
    assert ended.code == 0, ended.out
    (said,) = re.findall(r"^    (test_account\.py::\S+: EXHAUSTED.*)$", PAGE, re.MULTILINE)
    assert said in ended.out


def test_the_options_are_those_of_the_plugin() -> None:
    assert re.findall(r"^\| `--harness-(\w+)` \|", PAGE, re.MULTILINE) == [option.name for option in OPTIONS]


@pytest.mark.parametrize(
    "argument", ["reset", "invariant", "state", "deadlocks", "schedules", "isolation", "role", "schemas"]
)
def test_every_argument_is_explained(argument: str) -> None:
    assert f"`{argument}`" in PAGE
