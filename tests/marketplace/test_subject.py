"""Subjects: what is read from a folder, and what is said about every mistake in it."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from harness.marketplace.operations import Buy, CompleteCredit, Operation, Sweep, TopUp
from harness.marketplace.start import LeadStart, PurchaseStart, Start, TopUpStart
from harness.marketplace.subject import CALLS, load_subject, placeholders
from harness.words.errors import ExitCode, UsageError

TOML = """\
name = "tiny"
description = "As little as there can be."
migrations = ["up/*.sql"]

[fixtures]
workspace = ["INSERT INTO w VALUES (%(id)s, %(balance)s)"]
lead = ["INSERT INTO l VALUES (%(id)s)"]
purchase = ["INSERT INTO p VALUES (%(id)s)"]
item = ["INSERT INTO i VALUES (%(purchase)s)"]
wipe = ["DELETE FROM w"]

[probes]
balances = "SELECT id, balance FROM w"
leads = "SELECT id, status, sold_count FROM l"
purchases = "SELECT id, status FROM p"
items = "SELECT purchase, lead FROM i"

[calls]
complete_credit = ["SELECT * FROM f(%(purchase)s, %(workspace)s, %(amount)s)"]
buy = ["BEGIN", "SELECT total FROM v(%(leads)s)", "SELECT * FROM f(%(total)s)", "COMMIT"]

[refusals]
lead_unavailable = "already sold|not for sale"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A subject of two migrations, called ``tiny``."""
    home = tmp_path / "tiny"
    (home / "up").mkdir(parents=True)
    (home / "up" / "2.sql").write_text("SELECT 2")
    (home / "up" / "1.sql").write_text("SELECT 1")
    (home / "subject.toml").write_text(TOML)
    return home


def test_everything_is_read_and_defaults_fill_the_rest(folder: Path) -> None:
    subject = load_subject("tiny", folder.parent)
    assert (subject.name, subject.client_role, subject.schemas, subject.ids) == ("tiny", None, ("public",), "uuid")
    assert [path.name for path in subject.migrations] == ["1.sql", "2.sql"]
    assert subject.fixtures["wipe"] == ("DELETE FROM w",)
    assert subject.refusals["lead_unavailable"].search("L1 is already sold")
    assert subject.has(CompleteCredit)
    assert not subject.has(Sweep)


def test_a_path_is_a_foreign_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert load_subject("./tiny", Path("nowhere")).digest == load_subject(str(folder), Path("nowhere")).digest


def test_migrations_keep_the_order_of_the_globs_and_down_is_latest_first(folder: Path) -> None:
    edit(folder, 'migrations = ["up/*.sql"]', 'migrations = ["up/2.sql", "up/*.sql"]\ndown = ["up/*.sql"]')
    subject = load_subject("tiny", folder.parent)
    assert [path.name for path in subject.migrations] == ["2.sql", "1.sql"]
    assert [path.name for path in subject.down] == ["2.sql", "1.sql"]


def test_other_roles_are_given_functions_by_name(folder: Path) -> None:
    edit(folder, "[fixtures]", '[executors]\napi = ["pay", "refund"]\n\n[fixtures]')
    edit(folder, "migrations =", 'roles = ["api"]\nmigrations =')
    assert load_subject("tiny", folder.parent).executors == {"api": ("pay", "refund")}


def test_the_digest_is_that_of_every_text_that_decides_a_run(folder: Path) -> None:
    seen = {load_subject("tiny", folder.parent).digest, load_subject("tiny", folder.parent).digest}
    assert all(re.fullmatch("[0-9a-f]{12}", digest) for digest in seen)
    assert len(seen) == 1
    (folder / "up" / "1.sql").write_text("SELECT 11")
    seen.add(load_subject("tiny", folder.parent).digest)
    edit(folder, "As little", "As Little")
    seen.add(load_subject("tiny", folder.parent).digest)
    (folder / "up" / "2.sql").rename(folder / "up" / "3.sql")
    seen.add(load_subject("tiny", folder.parent).digest)
    assert len(seen) == 4


def test_what_a_scenario_needs_and_the_subject_leaves_out(folder: Path) -> None:
    subject = load_subject("tiny", folder.parent)
    held = PurchaseStart("A", ("L1",), reserved="held")
    start = Start({"A": Decimal(1)}, {"L1": LeadStart()}, {"p": held}, {"t": TopUpStart("A", Decimal(1))})
    operations: list[Operation] = [Buy("A", ("L1",), "q"), TopUp("t"), TopUp("t")]
    assert subject.lacks(start, operations) == ("call top_up", "fixture top_up", "fixture reservation")
    assert subject.lacks(Start({}, {}), [Buy("A", ("L1",), "q")]) == ()


ALL = Start(
    {"A": Decimal(1)},
    {"L1": LeadStart(None), "L2": LeadStart(status="unlisted")},
    {"p": PurchaseStart("A", (), "stripe", "failed"), "q": PurchaseStart("A", (), "credits", "refunded")},
)
"""A bit of everything, but for fractions."""


@pytest.mark.parametrize(
    ("word", "start", "operations", "lacking"),
    [
        ("unpriced", ALL, [], ("leads without a price",)),
        ("unlisted", ALL, [], ("unlisted leads",)),
        ("stripe", ALL, [], ("Stripe purchases",)),
        ("failed", ALL, [], ("failed purchases",)),
        ("refunded", ALL, [], ("refunded purchases",)),
        ("cancelled", ALL, [], ()),
        ("fractions", ALL, [CompleteCredit("p", "A", Decimal("2.00"))], ()),
        ("fractions", ALL, [CompleteCredit("p", "A", Decimal("0.05"))], ("amounts that are not whole",)),
        ("fractions", ALL, [CompleteCredit("p", "A", Decimal("NaN"))], ("amounts that are not whole",)),
        ("fractions", Start({"A": Decimal("1.5")}, {}), [], ("amounts that are not whole",)),
        ("fractions", Start({}, {"L1": LeadStart(Decimal("1.5"))}), [], ("amounts that are not whole",)),
    ],
)
def test_what_a_subject_says_it_is_without(
    folder: Path, word: str, start: Start, operations: list[Operation], lacking: tuple[str, ...]
) -> None:
    assert load_subject("tiny", folder.parent).lacks(start, operations) == ()
    edit(folder, "migrations", f'without = ["{word}"]\nmigrations')
    assert load_subject("tiny", folder.parent).lacks(start, operations) == lacking


def test_calls_are_named_as_the_operations() -> None:
    assert " ".join(CALLS) == (
        "validate buy checkout request buy_credits read complete_credit complete_stripe deliver mark_sold top_up sweep "
        "refund update_price"
    )


def test_placeholders() -> None:
    assert placeholders("%(a)s %% %(b)s::uuid[] LIKE 'x%%' %(a)s") == ("a", "b")
    with pytest.raises(ValueError, match="% 2"):
        placeholders("SELECT 5 % 2")


MISTAKES = [
    ('name = "tiny"', "name = tiny", r"subject\.toml:1: not TOML: Invalid value \(at line 1"),
    ('name = "tiny"', 'name = """', r"subject\.toml:\d+: not TOML"),
    ('name = "tiny"\n', "", r"subject\.toml: there is no name"),
    ('name = "tiny"', "name = 5", r"subject\.toml:1: name is 5; expected a string"),
    ('name = "tiny"', 'name = " "', r"subject\.toml:1: name is ' '; expected a string with"),
    ("description", "descripion", r"subject\.toml:2: unknown key 'descripion'; .*did you mean 'description'\?"),
    (
        'migrations = ["up/*.sql"]',
        "migrations = []",
        r"subject\.toml:3: migrations is \[\]; expected a list of strings",
    ),
    ("up/*.sql", "down/*.sql", r"subject\.toml:3: migrations: 'down/\*\.sql' matches no file; expected files in "),
    ("up/*.sql", "/up/*.sql", r"subject\.toml:3: migrations: '/up/\*\.sql' is no pattern"),
    ("migrations", 'roles = "anon"\nmigrations', r"subject\.toml:3: roles is 'anon'; expected a list of strings"),
    (
        "[fixtures]",
        '[executors]\napi = ["pay"]\n[fixtures]',
        r"subject\.toml:\d+: unknown key 'api'",
    ),
    ("migrations", 'client_role = "x"\nmigrations', r"subject\.toml:3: client_role 'x' is not among the roles"),
    ("migrations", 'api_role = "x"\nmigrations', r"subject\.toml:3: api_role 'x' is not among the roles"),
    ("migrations", 'without = ["unlistd"]\nmigrations', r"toml:3: without: unknown word 'unlistd'; .*mean 'unlisted'"),
    ("migrations", 'ids = "serial"\nmigrations', r"subject\.toml:3: ids is 'serial'; expected uuid or bigint"),
    ("[fixtures]", "[fixture]", r"subject\.toml:5: unknown key 'fixture'; .*did you mean 'fixtures'\?"),
    ("wipe = [", "wype = [", r"subject\.toml:10: unknown key 'wype'; .*did you mean 'wipe'\?"),
    ('wipe = ["DELETE FROM w"]', "", r"subject\.toml:5: \[fixtures\] has no wipe; expected all of workspace, lead"),
    ('["DELETE FROM w"]', '"DELETE FROM w"', r"subject\.toml:10: wipe is 'DELETE FROM w'; expected a list"),
    ('["DELETE FROM w"]', '["DELETE FROM w", ""]', r"subject\.toml:10: wipe is .*; expected a list"),
    (
        "%(balance)s",
        "%(balanse)s",
        r"subject\.toml:6: workspace: unknown parameter 'balanse'; .*did you mean 'balance'",
    ),
    ("%(balance)s", "7 % 2", r"subject\.toml:6: workspace: stray percent sign at % 2\)"),
    ("[probes]", "[[probes]]", r"subject\.toml:12: probes is \[.*; expected a table \[probes\]"),
    ("items = ", "item = ", r"subject\.toml:16: unknown key 'item'; .*did you mean 'items'\?"),
    ('items = "SELECT purchase, lead FROM i"', "", r"subject\.toml:12: \[probes\] has no items"),
    ('"SELECT id, status FROM p"', '["SELECT 1"]', r"subject\.toml:15: purchases is \[.*; expected a string"),
    ("FROM p", "FROM p WHERE id = %(id)s", r"subject\.toml:15: purchases: unknown parameter 'id'; expected none"),
    ("complete_credit =", "completecredit =", r"subject\.toml:19: unknown key 'completecredit'; .*'complete_credit'\?"),
    ("%(amount)s", "%(total)s", r"subject\.toml:19: complete_credit: unknown parameter 'total'"),
    ("v(%(leads)s)", "v(%(lead)s)", r"subject\.toml:20: buy: unknown parameter 'lead'; .*did you mean 'leads'\?"),
    (', "COMMIT"', "", r"subject\.toml:20: buy ends too early; expected statements, with one COMMIT after each BEGIN"),
    ('"BEGIN", ', "", r"subject\.toml:20: buy: statement 3 is out of place"),
    ('"BEGIN", ', '"BEGIN", "begin", ', r"subject\.toml:20: buy: statement 2 is out of place"),
    ("already sold|", "(", r"subject\.toml:23: lead_unavailable is no regular expression: "),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES, ids=lambda text: text[:24])
def test_every_mistake_is_named_with_its_place(folder: Path, old: str, new: str, message: str) -> None:
    edit(folder, old, new)
    with pytest.raises(UsageError, match=message) as caught:
        load_subject("tiny", folder.parent)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text(folder: Path) -> None:
    (folder / "subject.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(UsageError, match=r"subject\.toml cannot be read: .*expected a text in UTF-8"):
        load_subject("tiny", folder.parent)


def test_a_name_that_is_no_subject(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"no subject 'tinny'; expected one of tiny, or the path of a folder"):
        load_subject("tinny", folder.parent)
    with pytest.raises(UsageError, match=r"there is no subject\.toml in .*/up; expected one of tiny"):
        load_subject(str(folder / "up"), folder.parent)
    monkeypatch.chdir(folder.parent)
    with pytest.raises(UsageError, match=r"write \./tiny if that is your folder"):
        load_subject("tiny", folder / "up")


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "subject.toml").read_text()
    assert old in text
    (folder / "subject.toml").write_text(text.replace(old, new, 1))
