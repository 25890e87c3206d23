"""The files of the planted faults: what they say of themselves, and that each is one small mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from harness.marketplace.planted import PREFIX, Fault, fault_files, find_subject, read_fault
from harness.marketplace.properties import PROPERTIES
from harness.marketplace.properties.grants import ONLY_SERVICE_ROLE
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.words.errors import UsageError

SQL = bundled("sql")
FAULTS = [read_fault(path) for path in fault_files(SQL)]
REFERENCE = load_subject("reference", SQL)
LINES_MAX = 9
"""A mistake that touches more lines than these is not one."""
LOCK = re.compile(r"FOR NO KEY UPDATE|FOR UPDATE|FOR SHARE|FOR KEY SHARE|pg_\w*advisory\w*lock\w*|LOCK TABLE")
"""A lock that is taken for its own sake."""


def statements(text: str) -> Iterator[str]:
    """The statements of a file of SQL, without the comments before them."""
    text = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE)
    yield from (found.strip() for found in re.findall(r"(?:[^;$]|\$\$.*?\$\$)+;", text, re.DOTALL))


def functions(text: str) -> dict[str, list[str]]:
    """The lines of every function, by its name; how many lines its head takes is no matter."""
    found = {}
    for statement in statements(text):
        if match := re.match(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\s*\((.*)", statement, re.DOTALL):
            head, body = match[2].split("\nRETURNS", 1) if "\nRETURNS" in match[2] else match[2].split(" RETURNS", 1)
            found[match[1]] = [" ".join(head.split()), *(line.strip() for line in body.splitlines())]
    return found


ORIGINAL = {
    name: lines for path in REFERENCE.migrations for name, lines in functions(path.read_text(encoding="utf-8")).items()
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_says_what_is_wrong_and_what_breaks(fault: Fault) -> None:
    assert fault.wrong.endswith(".")
    assert fault.why.endswith((".", "?"))
    assert fault.breaks
    assert set(fault.breaks) <= {*PROPERTIES, ONLY_SERVICE_ROLE}
    if fault.shown is None:
        assert fault.breaks == (ONLY_SERVICE_ROLE,)
    else:
        assert fault.shown.property in fault.breaks
        assert (bundled("scenarios") / f"{fault.shown.file}.py").is_file()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_is_one_small_mistake(fault: Fault) -> None:
    text = fault.path.read_text(encoding="utf-8")
    planted = functions(text)
    others = [statement for statement in statements(text) if "FUNCTION" not in statement.splitlines()[0]]
    assert all(re.match(r"ALTER TABLE .* DROP CONSTRAINT |ALTER DEFAULT PRIVILEGES ", other) for other in others)
    if not planted:
        assert len([*statements(text)]) == 1
        return
    ((name, lines),) = planted.items()
    changes = [
        (before, after)
        for what, before, until, after, to in SequenceMatcher(None, ORIGINAL[name], lines, autojunk=False).get_opcodes()
        if what != "equal"
        for before, after in [(until - before, to - after)]
    ]
    assert 0 < sum(max(change) for change in changes) <= LINES_MAX


@pytest.mark.parametrize(
    ("function", "lock"),
    [(function, lock) for function, lines in ORIGINAL.items() for lock in LOCK.findall("\n".join(lines))],
)
def test_every_lock_of_the_reference_is_missed_when_it_goes(function: str, lock: str) -> None:
    """Nobody can drop one unnoticed: there is a fault without it, and whatever is planted here is found."""
    planted = [functions(fault.path.read_text(encoding="utf-8")).get(function) for fault in FAULTS if fault.shown]
    assert LOCK.findall("\n".join(ORIGINAL[function])).count(lock) == 1
    assert any(lines is not None and lock not in LOCK.findall("\n".join(lines)) for lines in planted)


def test_a_planted_subject_is_the_reference_with_one_more_file() -> None:
    subject = find_subject("planted:off-by-one", SQL)
    assert subject.name == "planted:off-by-one"
    assert subject.migrations == (*REFERENCE.migrations, SQL / "planted" / "off-by-one.sql")
    assert (subject.calls, subject.client_role, subject.file.path) == (
        REFERENCE.calls,
        REFERENCE.client_role,
        REFERENCE.file.path,
    )
    assert "not enough" in subject.description


def test_every_planted_subject_has_a_digest_of_its_own() -> None:
    digests = {find_subject(PREFIX + fault.name, SQL).digest for fault in FAULTS}
    assert len(digests | {REFERENCE.digest}) == len(FAULTS) + 1


def test_other_names_are_those_of_subjects() -> None:
    assert find_subject("reference", SQL).digest == REFERENCE.digest
    with pytest.raises(UsageError, match="no subject 'off-by-one'"):
        find_subject("off-by-one", SQL)


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("off-by-two", "off-by-one"),
        ("lock-order-swapped", "swapped-lock-order"),
        ("zzz", "the name of a planted fault"),
        ("", "the name of a planted fault"),
        ("../reference/subject", "the name of a planted fault"),
    ],
)
def test_an_unknown_fault_is_told_with_those_near_it(name: str, close: str) -> None:
    with pytest.raises(UsageError) as refused:
        find_subject(PREFIX + name, SQL)
    assert refused.value.slug == "no-fault"
    assert close in refused.value.expected
    assert "docs/planted.md" in refused.value.remedy


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- Wrong: a.\n-- Why: b.\n-- Breaks: sold-once\nSELECT 1;\n", "begins with Wrong, Why, Breaks"),
        ("SELECT 1;\n", "begins with nothing"),
        ("-- Wrong: a.\n-- Why: b.\n-- Breaks: sold-once\n-- Shown: somewhere\n", "does not say how"),
    ],
)
def test_a_file_that_lacks_a_part_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "fault.sql"
    path.write_text(text)
    with pytest.raises(ValueError, match=complaint):
        read_fault(path)


def test_what_is_longer_than_a_line(tmp_path: Path) -> None:
    path = tmp_path / "fault.sql"
    path.write_text(
        "-- Wrong: a\n--   b: c.\n-- Why: d.\n-- Breaks: sold-once,\n--   no-hang\n"
        "-- Shown: sold-once in x.py within 1 schedule; smallest with 1 operation\n--   and 0 preemptions\n"
        "\n-- Why: not I\n"
    )
    fault = read_fault(path)
    assert (fault.name, fault.wrong, fault.why, fault.breaks) == ("fault", "a b: c.", "d.", ("sold-once", "no-hang"))
    assert fault.shown is not None
    assert (fault.shown.file, fault.shown.schedules_max, fault.shown.operations, fault.shown.preemptions) == (
        "x",
        1,
        1,
        0,
    )
