"""Planted faults on the command line: verified, replayed, and refused when there is no such thing."""

from __future__ import annotations

from pathlib import Path

from harness.db.any_server import AnyServer
from tests.verify.command import harness

SUBJECT = "planted:balance-written-back"
RACE = "one-workspace-credit-for-both"


def test_a_fault_is_verified_and_replayed(server: AnyServer, tmp_path: Path) -> None:
    arguments = ("--subject", SUBJECT, "--scenario", RACE, "--max-schedules", "10", "--dsn", server.dsn())
    ended = harness("verify", *arguments, cwd=tmp_path)
    assert ended.code == 1
    assert ended.out.startswith(f"VIOLATED: {SUBJECT} breaks 2 of ")
    # The report's own next steps name the subject as it was named.
    assert f"harness verify --subject {SUBJECT} --max-schedules 10" in ended.out
    file = tmp_path / "reports" / "schedules" / f"planted-balance-written-back-conservation-{RACE}.json"
    assert f"harness replay {file.relative_to(tmp_path)}" in ended.out
    again = harness("replay", file.relative_to(tmp_path), "--dsn", server.dsn(), cwd=tmp_path)
    assert again.code == 1
    assert "conservation is violated" in again.out


def test_an_unknown_fault_is_refused(tmp_path: Path) -> None:
    ended = harness("verify", "--subject", "planted:balance-written", cwd=tmp_path)
    assert ended.code == 2
    assert ended.complaint == (
        "there is no planted fault 'balance-written'; expected balance-written-back; docs/planted.md lists them all "
        "[no-fault]"
    )
