"""Subjects in folders of their own: a foreign one is verified as it is, a broken one is refused with file and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cli import main
from harness.db.any_server import AnyServer
from tests.marketplace.foreign import FOLDER as FOREIGN
from tests.verify.command import harness
from tests.verify.conftest import verify
from tests.verify.stall import FIRST, SCENARIOS, spoilt

CALL = "SELECT * FROM buy(%(purchase)s, %(workspace)s, (%(leads)s::bigint[])[1])"
BALANCES = "SELECT id, credits AS balance FROM customer"


def test_a_foreign_folder_is_verified_as_it_is(server: AnyServer, tmp_path: Path) -> None:
    names = ("two-buyers-one-lead", "two-checkouts-one-lead", "two-top-ups-at-once")
    chosen = [word for name in names for word in ("--scenario", name)]
    run = verify(tmp_path, "--subject", FOREIGN, *chosen, "--max-schedules", "60", "--dsn", server.dsn())
    assert run.ended.code == 0
    assert {each["verdict"] for each in run.document["properties"]} == {"holds"}
    assert [each["name"] for each in run.document["scenarios"]] == list(names[:2])
    assert run.document["skipped"] == [
        {"name": "two-top-ups-at-once", "why": "foreign has no call top_up, no fixture top_up"}
    ]
    assert run.document["subject"]["folder"] == str(FOREIGN)
    assert run.document["subject"]["points"] > 10


def test_its_schedules_are_replayed_with_its_folder_and_no_other(server: AnyServer, tmp_path: Path) -> None:
    """Nobody locks: both buyers see the contact before either has bought."""
    folder = spoilt(tmp_path, {"FOR UPDATE": ""})
    own = ("--subject", "stall", "--scenario-files", SCENARIOS, "--dsn", server.dsn())
    run = verify(tmp_path, *own[2:], "--subject", folder, "--scenario", "stall-race", "--max-schedules", "60")
    assert run.ended.code == 1
    file = run.schedule_of("sold-once")
    assert f"harness replay {file.relative_to(tmp_path)} --subject {folder}" in run.ended.out
    again = harness("replay", file, *own[2:], "--subject", folder, cwd=tmp_path)
    assert (again.code, again.err) == (1, "")
    # By its name alone it is none of ours, and with one letter changed it is another.
    assert harness("replay", file, *own[2:], cwd=tmp_path).complaint.startswith("there is no subject 'stall'")
    with (folder / "stall.sql").open("a") as sql:
        sql.write("-- mended\n")
    other = harness("replay", file, *own[2:], "--subject", folder, cwd=tmp_path)
    assert (other.code, "recorded on another subject" in other.complaint) == (2, True)


BROKEN: dict[str, tuple[str, str, str, str]] = {
    "no wipe": ("subject.toml", "wipe = [", "clean = [", r"subject\.toml:14: unknown key 'clean'; expected one of .*"),
    "SQL": ("stall.sql", "CREATE TABLE sale (", "CREATE TABLE sale [", r"stall\.sql:9: .* syntax error at or near .*"),
    "table": ("stall.sql", "REFERENCES sale,", "REFERENCES shop,", r'stall\.sql:10: .* relation "shop" does not exist'),
    "body": (
        "stall.sql",
        "WHERE id = p_contact FOR",
        "WHER id = p_contact FOR",
        r"stall\.sql:17: .* syntax error .*",
    ),
    "no function": (
        "subject.toml",
        "FROM buy(",
        "FROM buy_it(",
        r"subject\.toml:23: buy: the server refused statement 1: function buy_it\(bigint, .*\) does not exist",
    ),
    "inexact money": (
        "subject.toml",
        CALL,
        CALL.replace("*", "balance::float8 AS balance"),
        r"subject\.toml:23: buy: column balance is 40\.0; expected an exact number: cast it to numeric",
    ),
    "column of a probe": (
        "subject.toml",
        BALANCES,
        BALANCES.replace("balance", "cash"),
        r'subject\.toml:17: the server refused balances: column "balance" does not exist; .*',
    ),
    "a probe that lies": (
        "subject.toml",
        BALANCES,
        BALANCES.replace("credits", "credits + 1"),
        r"subject\.toml:17: after the fixtures, balances reads 51 for A; expected 50; .*",
    ),
    "a fixture that fails": (
        "subject.toml",
        "INSERT INTO customer VALUES (%(id)s, ",
        "INSERT INTO customer VALUES (%(id)s, 1, ",
        r"subject\.toml:8: the server refused workspace of seller: INSERT has more expressions than target columns; .*",
    ),
    "ids": (
        "subject.toml",
        'ids = "bigint"',
        "",
        r'.*subject\.toml:8: .* column "id" is of type bigint but .* uuid; .*',
    ),
    "schema": ("subject.toml", 'ids = "bigint"', 'ids = "bigint"\nschemas = ["shop"]', r"there is no schema shop .*"),
    "calls": ("subject.toml", f'buy = ["{CALL}"]', 'sweep = ["SELECT 1"]', r"stall has no call buy; expected .*"),
}
"""What is broken: file, text, what is there instead, and what is said of it."""


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_subject_is_refused_with_file_and_line(
    kind: str, server: AnyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file, old, new, says = BROKEN[kind]
    folder = spoilt(tmp_path, {old: new}, file)
    monkeypatch.chdir(tmp_path)
    arguments = ("--scenario-files", str(SCENARIOS), "--scenario", "stall-race", "--max-schedules", "5")
    assert main(["verify", "--subject", str(folder), *arguments, "--dsn", server.dsn()]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert re.fullmatch(rf"harness: (?:.*/)?{says} \[[a-z-]+\]", said.err.splitlines()[-1]), said.err


@pytest.mark.parametrize("what", ["DISCARD TEMP;", "RESET ALL;", "PERFORM pg_terminate_backend(pg_backend_pid());"])
def test_a_function_that_takes_its_session_apart_is_not_green(what: str, server: AnyServer, tmp_path: Path) -> None:
    folder = spoilt(tmp_path, {FIRST: f"  {what}\n{FIRST}"})
    arguments = ("--scenario-files", SCENARIOS, "--scenario", "stall-race", "--max-schedules", "5")
    ended = harness("verify", "--subject", folder, *arguments, "--dsn", server.dsn(), cwd=tmp_path)
    assert ended.code in (1, 3, 5)
    assert "Traceback" not in ended.err
