"""The configuration of our servers (what PostgreSQL reads of it is in test_server.py)."""

from __future__ import annotations

import pytest

from harness.db.settings import DEFAULT_PORT, configuration, render
from harness.words.errors import UsageError


def test_without_a_port_nothing_listens_on_tcp() -> None:
    settings = configuration({}, fsync=False, port=None, statistics=False)
    assert (settings["listen_addresses"], settings["port"]) == ("", DEFAULT_PORT)
    assert "shared_preload_libraries" not in settings


def test_with_a_port_this_machine_alone_is_served() -> None:
    settings = configuration({}, fsync=True, port=6543, statistics=True)
    assert (settings["listen_addresses"], settings["port"]) == ("127.0.0.1", 6543)
    assert (settings["fsync"], settings["full_page_writes"]) == (True, True)
    assert settings["shared_preload_libraries"] == "pg_stat_statements"


def test_the_caller_has_the_last_word() -> None:
    settings = configuration({"fsync": False, "jit": True}, fsync=True, port=None, statistics=False)
    assert (settings["fsync"], settings["full_page_writes"], settings["jit"]) == (False, True, True)


@pytest.mark.parametrize("name", ["port", "listen_addresses", "data_directory", "unix_socket_directories"])
def test_where_a_server_lives_is_not_a_setting(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is chosen by the harness"):
        configuration({name: "x"}, fsync=False, port=None, statistics=False)


def test_the_file_is_written_as_the_manual_says() -> None:
    assert render({"a": True, "b": 5, "c": "it's \\n"}) == "a = 'on'\nb = '5'\nc = 'it''s \\\\n'\n"


@pytest.mark.parametrize("value", ["x\nfsync = off", "x\0"])
def test_a_value_has_one_line(value: str) -> None:
    with pytest.raises(UsageError, match="line break"):
        render({"a": value})
