"""One word to a server."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import psycopg
import pytest

from harness.db.binaries import choose_binaries, find_binaries
from harness.db.container import ContainerServer
from harness.db.external import ExternalServer
from harness.db.provision import DSN_VARIABLE, provision
from harness.db.server import Server
from harness.words.errors import CouldNotRun, ExitCode, UsageError


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server(choose_binaries("auto")) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_dsn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DSN_VARIABLE, raising=False)


@pytest.mark.parametrize("choice", ["auto", "embedded", "embedded-17", "local"])
def test_a_word_makes_a_server_of_ours(choice: str) -> None:
    if choice != "auto" and isinstance(reason := find_binaries(choice), str):
        pytest.skip(f"NOT RUN: {reason}")
    server = provision(choice, settings={"application_name": "asked"}, fsync=True)
    assert isinstance(server, Server)
    assert server.binaries == choose_binaries(choice)
    with server, psycopg.connect(server.dsn()) as connection:
        shown = connection.execute("SELECT current_setting('fsync')").fetchone()
    assert shown == ("on",)


def test_a_dsn_makes_a_guest_on_a_server(running: Server) -> None:
    with provision(running.dsn()) as server:
        assert isinstance(server, ExternalServer)
        assert server.dsn() == running.dsn()


@pytest.mark.parametrize(
    "dsn", ["postgresql://u@localhost/d", "postgres://localhost", "host=localhost", "dbname=d user=u"]
)
def test_every_form_of_a_dsn_is_known(dsn: str) -> None:
    assert isinstance(provision(dsn), ExternalServer)


def test_the_environment_answers_for_auto_alone(running: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DSN_VARIABLE, running.dsn())
    assert provision().dsn() == running.dsn()
    assert isinstance(provision("embedded"), Server)
    assert provision("host=elsewhere").dsn() == "host=elsewhere"


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DSN_VARIABLE, "")
    assert isinstance(provision(), Server)


def test_a_container_is_made_on_request_only() -> None:
    assert isinstance(provision("container"), ContainerServer)


def test_an_unknown_word_is_a_wrong_option() -> None:
    with pytest.raises(UsageError, match="'mysql'") as caught:
        provision("mysql")
    assert caught.value.exit_code == ExitCode.USAGE
    assert "container" in str(caught.value)


def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CouldNotRun, match="pip install") as caught:
        provision("embedded")
    assert caught.value.exit_code == ExitCode.COULD_NOT_RUN


def test_windows_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(CouldNotRun, match="Linux and macOS only; give a server with --dsn"):
        provision()
