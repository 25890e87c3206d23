"""``harness faults`` as its users run it: what it prints, how it ends, and that its counterexamples replay."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from tests.verify.command import harness

NOTHING_DRAWN = ("--pairs", "0", "--beside", "0")


def test_a_counterexample_is_replayed_by_the_command_that_is_shown(server: AnyServer, tmp_path: Path) -> None:
    asked = ("--subject", "before", "--operation", "buy", "--fault", "terminate", *NOTHING_DRAWN)
    ended = harness("faults", *asked, "--json", "faults.json", "--dsn", server.dsn(), cwd=tmp_path)
    assert ended.code == 1
    assert ended.out.startswith("VIOLATED: before breaks")
    assert "1 scenario, until all is explored" in ended.err
    document = json.loads((tmp_path / "faults.json").read_text())
    assert document["exit_code"] == 1
    (file,) = {each["counterexample"]["file"] for each in document["properties"] if each["id"] == "all-or-nothing"}
    assert re.search(r"^    harness replay reports/schedules/before-\S+-buy-terminate\.json$", ended.out, re.MULTILINE)
    replayed = harness("replay", file, "--dsn", server.dsn(), cwd=tmp_path)
    assert replayed.code == 1
    assert "terminates client" in replayed.out
    assert "all-or-nothing is violated" in replayed.out


def test_what_holds_ends_with_0_and_what_strikes_nothing_with_5(server: AnyServer, tmp_path: Path) -> None:
    asked = ("--operation", "update-price", "--fault", "cut-before-send", "--fault", "cancel", *NOTHING_DRAWN)
    ended = harness("faults", *asked, "--dsn", server.dsn(), cwd=tmp_path)
    # No function is called, so there is no statement that a cancel could find under way.
    assert ended.code == 5
    assert "was struck by cancel" in ended.out
    ended = harness("faults", *asked[:4], *NOTHING_DRAWN, "--dsn", server.dsn(), cwd=tmp_path)
    assert (ended.code, ended.out.partition(":")[0]) == (0, "HOLDS")


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (("--fault", "flood"), "unknown-fault"),
        (("--operation", "fly"), "unknown-operation"),
        (("--sqlstate", "42"), "bad-sqlstate"),
    ],
)
def test_a_mistake_is_named(asked: tuple[str, str], word: str, tmp_path: Path) -> None:
    ended = harness("faults", *asked, cwd=tmp_path)
    assert ended.code == 2
    assert f"[{word}]" in ended.complaint


def test_crashes_come_after_the_sweep_on_a_server_of_our_own(tmp_path: Path) -> None:
    asked = ("--operation", "update-price", "--fault", "cut-before-send", *NOTHING_DRAWN, "--crashes", "2")
    ended = harness("faults", *asked, "--json", "faults.json", cwd=tmp_path)
    assert ended.code == 0, ended
    crashes = json.loads((tmp_path / "faults.json").read_text())["crashes"]
    assert (crashes["rounds"], crashes["lost"], crashes["violated"]) == (2, 0, [])
    assert crashes["acknowledged"] > 0
    assert "2 crashes under six clients" in ended.out


def test_nobody_else_s_server_is_crashed(server: AnyServer, tmp_path: Path) -> None:
    ended = harness("faults", "--crashes", "1", "--dsn", server.dsn(), cwd=tmp_path)
    assert ended.code == 2
    assert "[not-our-server]" in ended.complaint
