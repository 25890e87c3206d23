"""What a run could not show is never green: exit codes 3, 5 and 6, beside 0 and 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from harness.verify.document import exit_code
from harness.words.errors import ExitCode
from harness.words.verdict import Certificate, Verdict
from tests.verify.conftest import Verified, verify
from tests.verify.stall import FIRST, FOLDER, SCENARIOS, spoilt


@pytest.fixture
def stall(server: AnyServer, tmp_path: Path) -> Stall:
    return Stall(server, tmp_path)


class Stall:
    """Verifies the stall, or a spoilt one."""

    def __init__(self, server: AnyServer, directory: Path) -> None:
        self.dsn = server.dsn()
        self.directory = directory

    def verify(self, scenario: str, *arguments: str, folder: Path = FOLDER) -> Verified:
        chosen = ("--subject", folder, "--scenario-files", SCENARIOS, "--scenario", f"stall-{scenario}")
        return verify(self.directory, *chosen, "--dsn", self.dsn, *arguments)

    def spoilt(self, first: str) -> Path:
        """The stall with something before the first statement of its function."""
        return spoilt(self.directory, {FIRST: f"  {first}\n{FIRST}"})


def verdicts(run: Verified) -> set[str]:
    return {each["verdict"] for each in run.document["properties"]}


def test_what_was_explored_to_the_end_holds(stall: Stall) -> None:
    run = stall.verify("race", "--budget", "60s", "--strict")
    assert run.ended.code == 0
    assert verdicts(run) == {"holds"}
    (scenario,) = run.document["scenarios"]
    assert (scenario["certificate"], scenario["preemption_bound"]) == ("EXHAUSTED", None)
    assert run.document["subject"]["folder"] == str(FOLDER)
    # It was over long before its budget was.
    assert run.document["seconds"] < 50


def test_what_never_happened_was_not_exercised(stall: Stall) -> None:
    run = stall.verify("never", "--max-schedules", "20")
    assert run.ended.code == 5
    assert verdicts(run) == {"not_exercised"}
    assert {each["why"] for each in run.document["properties"]} == {"stall-never never saw refused:out_of_stock"}
    assert "never saw refused:out_of_stock" in run.ended.out


def test_too_few_schedules_are_inconclusive(stall: Stall) -> None:
    run = stall.verify("race", "--max-schedules", "8", "--strict")
    assert run.ended.code == 6
    assert [each["certificate"] for each in run.document["scenarios"]] == ["INCONCLUSIVE"]
    assert run.document["verdict"] == "inconclusive"


def test_a_hang_is_told_with_its_picture(stall: Stall) -> None:
    run = stall.verify("race", "--max-schedules", "5", folder=stall.spoilt("PERFORM pg_sleep(3600);"))
    assert run.ended.code == 3
    assert verdicts(run) == {"hang"}
    (scenario,) = run.document["scenarios"]
    assert "has not come to its next scheduling point" in scenario["hang"]
    assert "pg_sleep" in scenario["hang"] or "PgSleep" in scenario["hang"]
    assert scenario["certificate"] == "INCONCLUSIVE"
    assert "HANG" in run.ended.out


CHANCE = {
    "a refusal": "IF random() < 0.5 THEN RAISE EXCEPTION 'not enough credits'; END IF;",
    "the clock": "IF extract(microseconds FROM clock_timestamp())::bigint % 2 = 0 THEN PERFORM FROM contact; END IF;",
    "the final state": "UPDATE customer SET credits = credits + 0.01 WHERE id <> p_customer AND random() < 0.5;",
    "how often": "FOR i IN 1 .. (random() * 9)::integer LOOP PERFORM FROM contact; END LOOP;",
}


@pytest.mark.parametrize("kind", CHANCE)
def test_what_depends_on_chance_is_never_green(stall: Stall, kind: str) -> None:
    run = stall.verify("race", "--max-schedules", "30", folder=stall.spoilt(CHANCE[kind]))
    assert run.ended.code == 3
    assert "nondeterministic" in verdicts(run)
    (scenario,) = run.document["scenarios"]
    assert scenario["certificate"] == "INCONCLUSIVE"
    assert "the same schedule gave another run" in scenario["diverged"] or "the run diverged" in scenario["diverged"]
    assert "NONDETERMINISTIC" in run.ended.out


def test_not_even_alone(stall: Stall) -> None:
    """One client has one schedule: the first run must be made again more than once."""
    run = stall.verify("alone", "--max-schedules", "30", folder=stall.spoilt(CHANCE["how often"]))
    assert run.ended.code == 3


H, V, N = Verdict.HOLDS, Verdict.VIOLATED, Verdict.NOT_APPLICABLE
E, S, I = Certificate.EXHAUSTED, Certificate.SAMPLED, Certificate.INCONCLUSIVE  # noqa: E741


@pytest.mark.parametrize(
    ("verdicts", "certificates", "lenient", "strict"),
    [
        ([H, H], [E, S], 0, 0),
        ([H, N], [E], 0, 0),
        ([H], [E, I], 0, 6),
        ([H, V], [E], 1, 1),
        ([V, Verdict.HANG, Verdict.NONDETERMINISTIC, Verdict.NOT_EXERCISED], [I], 1, 1),
        ([H, Verdict.HANG, Verdict.NOT_EXERCISED], [I], 3, 3),
        ([H, Verdict.NONDETERMINISTIC], [I], 3, 3),
        ([H, Verdict.NOT_EXERCISED], [I], 5, 5),
        ([N, N], [E], 5, 5),
        ([], [], 5, 5),
    ],
)
def test_the_gravest_comes_first(
    verdicts: list[Verdict], certificates: list[Certificate], lenient: int, strict: int
) -> None:
    assert exit_code(verdicts, certificates, strict=False) is ExitCode(lenient)
    assert exit_code(verdicts, certificates, strict=True) is ExitCode(strict)
