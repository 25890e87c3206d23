"""The plugin under pytest-xdist: one server, a database each, split examples; and nothing is left behind."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.test_pytest_plugin import LOCKED, RACE, alone, run
from tests.verify.command import gone, running, server_directories

WORKERS = """
import os, pytest

@pytest.fixture(autouse=True)
def told(request):
    yield
    with open(os.environ["PYTEST_XDIST_WORKER"] + ".txt", "a") as file:
        print(*request.node.told, file=file)

@pytest.mark.parametrize("number", range(8))
def test_database(request, server, database, number):
    directory, = database.execute("SELECT current_setting('data_directory')").fetchone()
    request.node.told = "database", directory, database.info.dbname

def test_shard(request, shard):
    assert shard.share(7) in (3, 4)
    request.node.told = "shard", shard.number, shard.count, shard.seed
"""

STARTED = """
import harness.db.lending

def provision(choice, before=harness.db.lending.provision):
    with open("started.txt", "a") as file:
        file.write(choice)
    return before(choice)

harness.db.lending.provision = provision
"""


def test_workers_share_a_server_and_split_examples(tmp_path: Path) -> None:
    ended = run(tmp_path, "-n2", "--dist=load", conftest=STARTED, test_workers=WORKERS, test_locked=LOCKED)
    assert ended.code == 0, ended.out
    told = [line.split() for file in sorted(tmp_path.glob("gw*.txt")) for line in file.read_text().splitlines()]
    databases = [words for words in told if words[0] == "database"]
    assert len(databases) == len({name for _, _, name in databases}) == 8
    (directory,) = {directory for _, directory, _ in databases}
    assert not Path(directory).exists()
    shards = sorted(words[1:] for words in told if words[0] == "shard")
    assert [words[:2] for words in shards] == [["1", "2"], ["2", "2"]]
    assert len({seed for *_, seed in shards}) == 2
    assert (tmp_path / "started.txt").read_text() == "auto"
    assert "test_locked.py::test_nobody_overdraws: EXHAUSTED (every schedule)" in ended.out


def test_no_server_is_started_for_nobody(tmp_path: Path) -> None:
    ended = run(tmp_path, "-n2", conftest=STARTED, test_any="def test_any(): pass")
    assert ended.code == 0, ended.out
    assert not (tmp_path / "started.txt").exists()


def test_a_server_that_cannot_be_started_is_told_by_the_worker(tmp_path: Path) -> None:
    refuse = """
import harness.db.lending
from harness.words.errors import CouldNotRun

def provision(choice):
    raise CouldNotRun("no-postgresql", "there is none")

harness.db.lending.provision = provision
"""
    ended = run(tmp_path, "-n2", conftest=refuse, test_any="def test_any(database): pass")
    assert ended.code == 1
    assert "no server: there is none [no-postgresql]" in ended.out


@pytest.mark.nightly
def test_workers_draw_again_what_the_seed_of_the_header_says(tmp_path: Path) -> None:
    draws = """
import hypothesis
from hypothesis import strategies as st

def test_draw(shard):
    @hypothesis.settings(max_examples=50)
    @hypothesis.given(st.integers())
    def draw(number):
        print(number, file=file)
    with open(f"{shard.number}.txt", "w") as file:
        draw()
"""
    drawn = []
    seed: list[str] = []
    for _ in range(2):
        ended = run(tmp_path, "-n2", "--harness-profile=nightly", *seed, test_draws=draws)
        assert ended.code == 0, ended.out
        drawn.append([(tmp_path / f"{number}.txt").read_text() for number in (1, 2)])
        seed = [f"--harness-seed={number}" for number in re.findall(r"^harness: seed (\d+), ", ended.out, re.MULTILINE)]
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[0][1]


LONG = LOCKED.replace("interleave(withdraw, withdraw,", "interleave(withdraw, withdraw, withdraw, schedules=10**6,")
SLOW = RACE.replace(
    "def test_nobody", "import time\n\ndef test_slow(database):\n    time.sleep(60)\n\n\ndef test_nobody"
)


@pytest.mark.parametrize("text", [SLOW, LONG], ids=["asleep", "exploring"])
@pytest.mark.parametrize("arguments", [("-n2",), ("-n0",)], ids=" ".join)
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    (tmp_path / "test_slow.py").write_text(text)
    with running(*alone(tmp_path), *arguments, cwd=tmp_path, module="pytest") as command:
        deadline = time.monotonic() + 60
        while not server_directories(command.family()) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.0)
        family = command.family()
        directories = server_directories(family)
        command.interrupt()
        ended = command.end()
    assert directories
    assert ended.code == 2, ended.out
    assert gone(family)
    assert not any(directory.exists() for directory in directories)


@pytest.mark.parametrize("arguments", [("-n2",), ("-n0",)], ids=" ".join)
def test_a_session_that_fails_leaves_nothing_behind(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    shows = "print(*database.execute('SHOW data_directory').fetchone())"
    text = f"def test_fails(database):\n    {shows}\n    assert False\n"
    ended = run(tmp_path, "-x", *arguments, test_fails=text)
    assert ended.code in (1, 2), ended.out
    (directory,) = set(re.findall(r"^(/\S+)$", ended.out, re.MULTILINE))
    assert not Path(directory).exists()
