"""The check of load histories finds every planted fault, names it rightly, and finds nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from benchmarks.made_history import PLANTED, Maker
from harness.load import replay
from harness.load.finding import HistoryVerdict, Judgement
from harness.load.history import check_history
from harness.load.journal import CommitJournal
from harness.load.sample import Sample, SampleFile, SampleWriter
from harness.words.errors import UsageError
from tests.sizes import sized

OPERATIONS = sized(10_000, 100_000)


def checked(maker: Maker) -> HistoryVerdict:
    return check_history(maker.paths, CommitJournal(maker.journal))


def made(folder: Path, operations: int, *faults: str, seed: int = 0) -> Maker:
    folder.mkdir(exist_ok=True)
    maker = Maker(folder, operations, seed=seed, faults=faults)
    maker.make()
    return maker


def names(verdict: HistoryVerdict, shows: str) -> set[str]:
    """The first properties of the certain findings that speak of this."""
    return {each.properties[0] for each in verdict.listed if each.certain and shows in each.why}


def test_every_fault_is_found_among_many_operations_and_nothing_else(tmp_path: Path) -> None:
    maker = made(tmp_path, OPERATIONS, *PLANTED)
    verdict = checked(maker)
    assert verdict.judgement is Judgement.VIOLATED
    for fault, name in PLANTED.items():
        assert name in names(verdict, maker.planted[fault]), fault
    shown = set(maker.planted.values())
    beside = [each.why for each in verdict.listed if not any(name in each.why for name in shown)]
    # A double sale says so of each lead, a balance that is off of its workspace, a commit of nobody's of itself.
    assert len(beside) <= 4, beside
    assert verdict.counts["operations"] > 0.95 * OPERATIONS
    assert verdict.counts["unknown_committed"] > OPERATIONS / 1000
    assert verdict.counts["unknown_rolled_back"] > OPERATIONS / 1000


@pytest.mark.parametrize("seed", range(2))
def test_a_correct_history_holds(seed: int, tmp_path: Path) -> None:
    verdict = checked(made(tmp_path, 4000, seed=seed))
    assert verdict.judgement is Judgement.HOLDS
    assert verdict.findings == 0
    assert not verdict.shown
    assert min(verdict.counts[name] for name in ("ok", "refusals", "reads", "repeats", "commits")) > 100


@pytest.mark.parametrize("fault", PLANTED)
def test_a_fault_alone_is_named(fault: str, tmp_path: Path) -> None:
    maker = made(tmp_path, 1500, fault)
    verdict = checked(maker)
    assert verdict.judgement is Judgement.VIOLATED
    assert PLANTED[fault] in names(verdict, maker.planted[fault])
    # What it is shown with: the operation itself, and those that overlapped it.
    shown = next(each for each in verdict.shown if PLANTED[fault] in each.finding.properties)
    if shown.sample is not None:
        assert shown.window
        assert shown.sample not in shown.window


def test_what_is_usual_is_what_the_model_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict is the same when the model is asked about everything, on right histories and on damaged ones."""
    random = Random(1)
    quick, damaged = [], [made(tmp_path / "all", 1500, *list(PLANTED)[:6])]
    for number in range(25):
        maker = made(tmp_path / str(number), 120, seed=number)
        lines = maker.journal.read_text().split("\n")
        place = random.randrange(1, len(lines) - 2)
        rows = lines[place].split("\x1e")
        row = random.randrange(1, len(rows))
        values = rows[row].split("\t")
        at = random.randrange(2, len(values))
        values[at] = random.choice([values[at] + "1", "", "0.01", "sold", "completed", "I"] if at > 2 else [""])
        rows[row] = "\t".join(values)
        if values[at] in ("", "I", "sold", "completed") and values[0] in ("balance", "entry"):
            continue
        lines[place] = "\x1e".join(rows if random.random() < 0.7 else [*rows[:row], *rows[row + 1 :]])
        maker.journal.write_text("\n".join(lines))
        damaged.append(maker)
    quick = [outcome(maker) for maker in damaged]
    monkeypatch.setattr(replay, "write_usual", lambda *_: None)
    monkeypatch.setattr(replay, "is_usual_answer", lambda *_: False)
    assert [outcome(maker) for maker in damaged] == quick
    assert sum("violated" in each for each in quick) > 5
    assert sum("holds" in each for each in quick) > 3


def outcome(maker: Maker) -> str:
    try:
        return str(checked(maker).document())
    except (ArithmeticError, ValueError) as error:
        # An amount that is none.
        return type(error).__name__


def write(path: Path, samples: Sequence[Sample]) -> None:
    with SampleWriter(path) as writer:
        for sample in samples:
            writer.write(sample)


def test_a_killed_process_leaves_doubt_not_violations(tmp_path: Path) -> None:
    maker = made(tmp_path, 1000)
    path = maker.paths[0]
    path.write_bytes(b"\n".join(path.read_bytes().splitlines()[:-20]) + b"\n")
    verdict = checked(maker)
    assert verdict.judgement is Judgement.INCONCLUSIVE
    assert verdict.doubtful == verdict.findings > 0
    assert all("no client asked" in each.why for each in verdict.listed)


def test_the_clocks_of_two_machines_may_differ(tmp_path: Path) -> None:
    maker = made(tmp_path, 1500)
    path = maker.paths[0]
    late = [
        sample._replace(invoked=sample.invoked + 0.01, returned=sample.returned and sample.returned + 0.01)
        for sample in SampleFile(path)
    ]
    path.unlink()
    write(path, late)
    assert checked(maker).judgement is not Judgement.HOLDS
    journal = CommitJournal(maker.journal)
    assert check_history(maker.paths, journal, clock_error_s=0.01).judgement is Judgement.HOLDS


def test_an_operation_that_nobody_knows_is_told(tmp_path: Path) -> None:
    maker = made(tmp_path, 10)
    maker.paths[0].unlink()
    write(maker.paths[0], [Sample("c", "steal", 0.0, 0.0, 1.0, "ok")])
    with pytest.raises(UsageError, match="'steal' is no operation") as error:
        checked(maker)
    assert error.value.slug == "bad-sample"
