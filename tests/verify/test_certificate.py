"""How much was explored, in words that never say more than was run; and what hides steps from the schedules."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.db.any_server import AnyServer
from harness.db.plan import Opaque, Plan, Point
from harness.verify.certificate import Explored, certify, opaque_places
from harness.words.verdict import Certificate
from tests.verify.conftest import Verified, verify
from tests.verify.stall import SCENARIOS, spoilt

E, S, I = Certificate.EXHAUSTED, Certificate.SAMPLED, Certificate.INCONCLUSIVE  # noqa: E741


@pytest.mark.parametrize(
    ("complete", "bound", "sampled", "opaque", "broken_off", "expected"),
    [
        (True, 4, False, False, False, Explored(E)),
        (True, 4, True, False, False, Explored(E)),
        (False, 2, True, False, False, Explored(E, 2)),
        (False, 3, False, False, False, Explored(E, 3)),
        (False, 1, True, False, False, Explored(S, miss_bound=0.1)),
        # Where nothing was sampled, the bound that was completed is all that there is to say.
        (False, 1, False, False, False, Explored(E, 1)),
        (False, 0, True, False, False, Explored(S, miss_bound=0.1)),
        (False, 0, False, False, False, Explored(I)),
        (False, None, True, False, False, Explored(S, miss_bound=0.1)),
        (False, None, False, False, False, Explored(I)),
        # Nothing is exhausted where something is hidden ...
        (True, 9, True, True, False, Explored(S, miss_bound=0.1)),
        (False, 2, True, True, False, Explored(S, miss_bound=0.1)),
        (False, 0, False, True, False, Explored(I)),
        # ... and nothing is proved by what was broken off.
        (True, 9, True, False, True, Explored(I)),
        (False, None, True, True, True, Explored(I)),
    ],
)
def test_a_certificate_says_what_was_run(
    complete: bool, bound: int | None, sampled: bool, opaque: bool, broken_off: bool, expected: Explored
) -> None:
    found = certify(
        complete=complete, completed_bound=bound, sampled=sampled, miss=0.1, opaque=opaque, broken_off=broken_off
    )
    assert found == expected


@pytest.mark.parametrize(("wanted", "expected"), [(0, Explored(E, 0)), (1, Explored(I))])
def test_the_bound_that_was_asked_for_is_enough(wanted: int, expected: Explored) -> None:
    found = certify(
        complete=False,
        completed_bound=0,
        sampled=False,
        miss=None,
        opaque=False,
        broken_off=False,
        wanted=wanted,
    )
    assert found == expected


@pytest.mark.parametrize(
    ("explored", "words"),
    [
        (Explored(E), "EXHAUSTED (every schedule)"),
        (Explored(E, 2), "EXHAUSTED (every schedule of up to 2 preemptions)"),
        (Explored(S, miss_bound=0.0123), "SAMPLED, misses at most 1.23% of what it samples"),
        (Explored(S), "SAMPLED"),
        (Explored(I), "INCONCLUSIVE"),
    ],
)
def test_it_can_be_said(explored: Explored, words: str) -> None:
    assert str(explored) == words


def test_commit_and_rollback_hide_steps_above_read_committed() -> None:
    def point(id_: int, kind: str) -> Point:
        return Point(id_, "public", "pay(bigint)", 10 + id_, kind, "...", False)

    plan = Plan(
        tuple(point(id_, kind) for id_, kind in enumerate(("sql", "commit", "return", "rollback"), 1)),
        (Opaque("pay(bigint) line 3", "dynamic SQL"),),
        (),
        (),
    )
    told = ("pay(bigint) line 3: dynamic SQL",)
    assert opaque_places(plan, "read committed") == told
    for isolation in ("repeatable read", "serializable"):
        assert opaque_places(plan, isolation) == (
            *told,
            "pay(bigint) line 12: what follows commit has its snapshot before it comes to a point",
            "pay(bigint) line 14: what follows rollback has its snapshot before it comes to a point",
        )


# -- on a server ----------------------------------------------------------------------------------------------


def explored(folder: Path, server: AnyServer, directory: Path, *arguments: str) -> Verified:
    """The race at the stall, to its end (there are some eighty schedules)."""
    chosen = ("--subject", folder, "--scenario-files", SCENARIOS, "--scenario", "stall-race")
    return verify(directory, *chosen, "--max-schedules", "300", "--dsn", server.dsn(), *arguments)


def test_dynamic_sql_is_named_and_nothing_is_exhausted(server: AnyServer, tmp_path: Path) -> None:
    update = "UPDATE contact SET times_sold = times_sold + 1 WHERE id = p_contact;"
    dynamic = "EXECUTE format('UPDATE %I SET times_sold = times_sold + 1 WHERE id = $1', 'contact') USING p_contact;"
    run = explored(spoilt(tmp_path, {update: dynamic}), server, tmp_path)
    (scenario,) = run.document["scenarios"]
    assert run.ended.code == 0
    assert scenario["schedules"] < 300  # all were run
    assert (scenario["certificate"], scenario["preemption_bound"]) == ("SAMPLED", None)
    (place,) = scenario["opaque"]
    assert place.startswith("public.buy(bigint,bigint,bigint) line 14: dynamic SQL")
    assert place in run.ended.out


PROCEDURE = {
    "CREATE FUNCTION buy(": "CREATE PROCEDURE buy(",
    "OUT balance numeric)": "INOUT balance numeric)",
    "wanted.price);\nEND": "wanted.price);\n  COMMIT;\n  PERFORM FROM contact;\nEND",
}
CALL = {"SELECT * FROM buy(": "CALL buy(", "[])[1])": "[])[1], NULL)"}


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_a_procedure_that_commits_is_opaque_above_read_committed(
    isolation: str, server: AnyServer, tmp_path: Path
) -> None:
    folder = spoilt(tmp_path, PROCEDURE)
    toml = (folder / "subject.toml").read_text()
    for old, new in CALL.items():
        toml = toml.replace(old, new)
    (folder / "subject.toml").write_text(toml)
    run = explored(folder, server, tmp_path, "--isolation", isolation)
    (scenario,) = run.document["scenarios"]
    assert scenario["isolation"] == isolation
    assert scenario["happened"]["ok:Buy"] == scenario["schedules"]
    if isolation == "read committed":
        assert (scenario["certificate"], scenario["opaque"]) == ("EXHAUSTED", [])
    else:
        assert scenario["certificate"] == "SAMPLED"
        (place,) = scenario["opaque"]
        assert "what follows commit has its snapshot before it comes to a point" in place
        assert place.startswith("public.buy(bigint,bigint,bigint,numeric) line 17: ")
