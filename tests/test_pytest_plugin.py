"""The pytest plugin as its users have it: pytest in a process of its own, on tests of theirs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from tests.verify.command import Ended, harness

SCHEMA = '''
SCHEMA = """
    CREATE TABLE account (id integer PRIMARY KEY, balance integer NOT NULL);
    INSERT INTO account VALUES (1, 100);
    CREATE FUNCTION withdraw(p_id integer, p_amount integer) RETURNS boolean LANGUAGE plpgsql AS $$
    DECLARE v_balance integer;
    BEGIN
      SELECT balance INTO v_balance FROM account WHERE id = p_id;
      IF v_balance < p_amount THEN RETURN false; END IF;
      UPDATE account SET balance = balance - p_amount WHERE id = p_id;
      RETURN true;
    END $$;
"""
'''

RACE = (
    SCHEMA
    + """
def test_nobody_overdraws(database, interleave):
    database.execute(SCHEMA)

    def withdraw(connection):
        return connection.execute("SELECT withdraw(1, 80)")

    interleave(withdraw, withdraw,
               reset="UPDATE account SET balance = 100",
               state="SELECT * FROM account ORDER BY id")
"""
)
LOCKED = RACE.replace("WHERE id = p_id;\n      IF", "WHERE id = p_id FOR UPDATE;\n      IF")


OTHERS = ("schemathesis", "locust", "anyio", "platformdirs", "hypothesispytest")
"""Plugins that are installed beside ours, and take longer to import than most of the tests here. These tests
themselves run with all of them."""


def alone(directory: Path) -> list[str]:
    """The options of pytest without the other plugins; Hypothesis's is there when a test of the directory uses it."""
    texts = "".join(path.read_text() for path in directory.glob("*.py"))
    without = [name for name in OTHERS if name != "hypothesispytest" or "hypothesis" not in texts]
    return [word for name in ("cacheprovider", *without) for word in ("-p", f"no:{name}")]


def run(directory: Path, *arguments: str | Path, **files: str) -> Ended:
    """pytest on these files (``test_a="..."`` is test_a.py) with the arguments."""
    for name, text in files.items():
        (directory / f"{name}.py").write_text(text)
    return harness(*alone(directory), "-W", "error", *arguments, cwd=directory, module="pytest")


def test_the_race_is_found_told_saved_and_replayed(server: AnyServer, tmp_path: Path) -> None:
    dsn = f"--harness-dsn={server.dsn()}"
    found = run(tmp_path, dsn, test_race=RACE)
    assert found.code == 1
    assert "harness: seed 0" in found.out
    assert "serializable: state (1, -60) matches no serial order; valid: (1, 20)" in found.out
    assert "1 preemption (the fewest that do it)" in found.out
    assert "replayed 10 of 10 times" in found.out
    assert "│ ↯ preempted by withdraw 2" in found.out
    assert "--harness-seed 0" in found.out
    assert "test_race.py::test_nobody_overdraws: VIOLATED after" in found.out
    assert "harness/interleave" not in found.out  # no traceback of ours
    (command,) = re.findall(r"^E +(pytest test_race\.py::\S+ --harness-replay=\S+)$", found.out, re.MULTILINE)

    replayed = run(tmp_path, dsn, *command.split()[2:])
    assert replayed.code == 1
    assert "replayed 1 of 1 times" in replayed.out
    assert "replayed serializable: violated" in replayed.out

    repaired = run(tmp_path, dsn, *command.split()[2:], test_race=LOCKED)
    assert repaired.code == 1
    assert "are others than those that the schedule was recorded on" in repaired.out
    assert run(tmp_path, dsn).code == 0

    other = run(tmp_path, dsn, *command.split()[2:], test_race=LOCKED.replace("nobody_overdraws", "other"))
    assert other.code == 4
    assert "which was not collected" in other.err


def test_a_replay_runs_its_test_alone(server: AnyServer, tmp_path: Path) -> None:
    dsn = f"--harness-dsn={server.dsn()}"
    twice = RACE + "\n    interleave(withdraw, reset='SELECT 1', invariant='SELECT true')\n"
    run(tmp_path, dsn, test_race=twice, test_other="def test_other():\n    assert False\n")
    (file,) = (tmp_path / "reports" / "schedules").iterdir()
    replayed = run(tmp_path, dsn, "--harness-replay", file)
    assert "1 failed, 1 deselected" in replayed.out
    recording = json.loads(file.read_text())
    recording["steps"] = [[0, [0]], *recording["steps"][1:]]
    file.write_text(json.dumps(recording))
    assert "NONDETERMINISTIC: the run was not the recorded one" in run(tmp_path, dsn, "--harness-replay", file).out


PASSING = (
    LOCKED
    + """
import pytest
from sqlalchemy import Integer
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]


RULES = {"reset": "UPDATE account SET balance = 100", "state": "SELECT * FROM account"}


def test_coroutines(database, interleave):
    database.execute(SCHEMA)

    async def withdraw(connection):
        async with connection.transaction():
            return await connection.execute("SELECT withdraw(1, 80)")

    assert interleave(withdraw, withdraw, **RULES)["explored"].startswith("EXHAUSTED")


racy = pytest.param(False, marks=pytest.mark.xfail(strict=True, raises=AssertionError))


@pytest.mark.parametrize("lock", [True, racy])
def test_sqlalchemy(database, interleave, lock):
    database.execute(SCHEMA)

    def withdraw(connection):
        with Session(interleave.engine(connection)) as session:
            account = session.get(Account, 1, with_for_update=lock)
            if account.balance < 80:
                session.rollback()
                return False
            account.balance -= 80
            session.commit()
            return True

    explored = interleave(withdraw, withdraw, **RULES)
    assert explored["labels"]["wait"] > 0
    assert explored["schedules"] == 6  # a query, a flush and a commit each: no chatter of the dialect


def test_sqlalchemy_without_a_session(database, interleave):
    from sqlalchemy import text
    database.execute(SCHEMA)

    def withdraw(connection):
        with interleave.engine(connection).begin() as begun:
            return begun.execute(text("SELECT withdraw(1, 80)")).scalar_one()

    assert interleave(withdraw, withdraw, **RULES)["labels"]["wait"] > 0


def test_one_after_the_other(database, interleave):
    database.execute(SCHEMA)

    def withdraw(connection):
        return [connection.execute("SELECT withdraw(1, 80)").fetchone() for _ in range(2)]

    assert interleave(withdraw, **RULES)["schedules"] == 1


def test_an_engine_wants_a_plain_function(database, interleave):
    database.execute(SCHEMA)

    async def withdraw(connection):
        interleave.engine(connection)

    with pytest.raises(AssertionError, match="no-engine"):
        interleave(withdraw, withdraw, **RULES)


@pytest.mark.parametrize("each", [1, 2])
def test_a_database_of_its_own(database, each):
    assert database.autocommit
    assert database.info.dbname.startswith("harness_")
    assert database.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    database.execute("CREATE TABLE mine ()")


def test_shards(shard):
    assert shard.count == 3
    assert shard.share(100) in (33, 34)
    with open("shares.txt", "a") as file:
        print(shard.number, shard.share(100), shard.seed, file=file)
"""
)


def test_every_kind_of_program_and_the_other_fixtures(server: AnyServer, tmp_path: Path) -> None:
    ended = run(tmp_path, "-rA", f"--harness-dsn={server.dsn()}", "--harness-shards=3", test_all=PASSING)
    assert ended.code == 0, ended.out
    assert "test_all.py::test_coroutines: EXHAUSTED (every schedule): 8 schedules, 2 outcomes" in ended.out
    assert "11 passed, 1 xfailed" in ended.out
    shares = [line.split() for line in (tmp_path / "shares.txt").read_text().splitlines()]
    assert [int(number) for number, _, _ in shares] == [1, 2, 3]
    assert sum(int(share) for _, share, _ in shares) == 100
    assert len({seed for _, _, seed in shares}) == 3


WRONG = {
    "--harness-seed=x": "--harness-seed: 'x' will not do; expected a whole number from 0",
    "--harness-schedules=0": "--harness-schedules: '0' will not do; expected a whole number from 1",
    "--harness-shards=-1": "--harness-shards: '-1' will not do",
    "--harness-profile=fast": "--harness-profile: 'fast' will not do; expected ci or dev or nightly",
    "--harness-database=oracle": "--harness-database: 'oracle' will not do; expected auto or embedded",
    "--harness-dsn=nothing": "the DSN cannot be read",
    "--harness-replay=no.json": "cannot read",
    "--override-ini=harness_seed=x": "harness_seed: 'x' will not do",
}


@pytest.mark.parametrize("argument", WRONG)
def test_a_wrong_value_is_a_usage_error(tmp_path: Path, argument: str) -> None:
    ended = run(tmp_path, argument)
    assert ended.code == 4
    assert WRONG[argument] in ended.err
    assert "Traceback" not in ended.err


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    ended = run(tmp_path, "--harness-dsn=postgresql://127.0.0.1:9/x", test_any="def test_any(database): pass")
    assert ended.code == 1
    assert re.search(r"^no server: .*\[dsn-unreachable\]$", ended.out, re.MULTILINE)


DRAWS = """
import hypothesis, hypothesis.stateful
from hypothesis import strategies as st

@hypothesis.given(st.integers())
def test_draw(number):
    with open("drawn.txt", "a") as file:
        print(number, file=file)

class Machine(hypothesis.stateful.RuleBasedStateMachine):
    @hypothesis.stateful.rule(number=st.integers())
    def step(self, number):
        with open("drawn.txt", "a") as file:
            print("machine", number, file=file)

TestMachine = Machine.TestCase
"""


def test_a_profile_draws_from_the_seed(tmp_path: Path) -> None:
    def drawn(*arguments: str) -> str:
        file = tmp_path / "drawn.txt"
        file.unlink(missing_ok=True)
        ended = run(tmp_path, *arguments, test_draws=DRAWS)
        assert ended.code == 0, ended.out
        return file.read_text()

    ci = drawn("--harness-profile=ci")
    assert "machine" in ci
    assert drawn("--harness-profile=ci", "--override-ini=harness_seed=0") == ci
    assert drawn("--harness-profile=ci", "--harness-seed=1") != ci
    assert not (tmp_path / ".hypothesis" / "harness").exists()


def test_the_settings_file_counts(server: AnyServer, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nharness_dsn = {server.dsn()}\nharness_schedules = 2\n")
    ended = run(tmp_path, "--harness-seed=7", test_race=LOCKED)
    assert ended.code == 1
    assert "harness: seed 7" in ended.out
    assert "NOT EXERCISED: the programs overlapped in none of 2 schedules" in ended.out


def test_the_plugin_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    text = (
        "import sys\n"
        "def test_any():\n"
        "    ours = {'psycopg', 'pglast', 'hypothesis'} | ({'greenlet'} if 'coverage' not in sys.modules else set())\n"
        "    assert not ours & {*sys.modules}\n"
    )
    (tmp_path / "test_any.py").write_text(text)
    others = [word for name in OTHERS for word in ("-p", f"no:{name}")]
    ended = harness(*others, cwd=tmp_path, module="pytest")
    assert ended.code == 0, ended.out
