"""The document of a comparison and what is rendered from it: verdicts, exit codes, words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from harness.compare.verdict import Round
from harness.report.compare import causes_of, markdown_compare, render_compare
from tests.compare.documents import SCHEMA, document
from tests.compare.rounds import rounds
from tests.report.schemas import altered, fields_of

PAGE = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
FINE, SLOW, FEW = rounds(60), rounds(60, buffers=1.1), rounds(3)


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("measured", "strict", "verdict", "code"),
    [
        ({"buy": FINE, "read": FINE}, False, "no_slowdown", 0),
        ({"buy": FINE, "read": SLOW}, False, "slower", 4),
        ({"buy": FEW, "read": SLOW}, True, "slower", 4),
        ({"buy": FEW, "read": FINE}, False, "cannot_tell", 0),
        ({"buy": FEW, "read": FINE}, True, "cannot_tell", 6),
        ({"buy": FINE, "read": ()}, True, "no_slowdown", 0),
        ({"buy": ()}, True, "not_exercised", 5),
        ({}, False, "not_exercised", 5),
    ],
)
def test_the_gravest_word_decides(
    measured: Mapping[str, Sequence[Round]], strict: bool, verdict: str, code: int
) -> None:
    found = document(measured, strict=strict)
    assert (found["verdict"], found["exit_code"]) == (verdict, code)
    assert render_compare(found) != markdown_compare(found) != ""


def test_what_is_slower_is_told_with_figure_and_cause() -> None:
    text = flat(render_compare(document({"buy": SLOW, "read": FINE}), ascii_only=False))
    assert text.startswith(
        "SLOWER: buy (buffers +10.0 %) reference against "
        "main:reference on PostgreSQL 18.6, 50,000 leads, 120 paired rounds in 4.2 s operation verdict"
    )
    assert "create_lead_purchase + complete_credit_lead_purchase" in text
    assert "slower: buy f line 3 is <new>: SELECT 1" in text
    assert "A/A: the base against itself differs by at most" in text


def test_no_slowdown_says_how_much_of_one() -> None:
    text = render_compare(document({"read": FINE}), ascii_only=False)
    assert flat(text).startswith("NO SLOWDOWN of 5.0 % or more: 1 operation ")


def test_what_cannot_be_told_says_within_what() -> None:
    noisy = flat(render_compare(document({"read": rounds(40, noise=0.6)}), ascii_only=False))
    assert "CAN'T TELL: read (±" in noisy
    assert "(too few rounds)" in flat(render_compare(document({"read": FEW})))
    off = flat(render_compare(document({"read": rounds(60, control=1.2)})))
    assert "it is OFF in " in off
    assert "CAN'T TELL: read (A/A is off)" in off


def test_what_is_not_measured_has_a_reason() -> None:
    bare = [{side: {"p50": 5.0, "cpu": None} for side in ("base", "candidate", "control")} for _ in range(30)]
    found = document({"read": bare, "buy": ()}, local=False, reasons={"buy": "candidate refuses: closed"})
    text = flat(render_compare(found))
    assert "CPU: not measured, the server's processes are not on this machine" in text
    assert "candidate refuses: closed" in text
    assert "A/A: not measured" in flat(render_compare(document({"buy": ()})))


def test_ctrl_c_is_told() -> None:
    assert "(interrupted)" in render_compare(document({"read": FEW}, interrupted=True))


def test_faster_is_a_remark() -> None:
    assert "faster" in render_compare(document({"read": rounds(60, buffers=0.5)}))


def test_markdown_has_the_table_the_cause_and_the_command() -> None:
    text = markdown_compare(document({"buy": SLOW, "read": FINE}))
    assert "| operation | verdict | CPU | p50 | buffers | WAL | lock waits |" in text
    assert "| **SLOWER** |" in text
    assert "- `buy`: f line 3 is \\<new\\>: SELECT 1" in text
    assert "`harness compare main:reference reference --seed 0`" in text


def cause(kind: str, function: str | None, text: str) -> dict[str, object]:
    return {"kind": kind, "function": function, "line": None, "statement": None, "text": text}


def test_few_causes_are_told_what_explains_most_first() -> None:
    gone = [cause("index", "why()", f"the index is gone: {pages} pages") for pages in (40, 80, 120)]
    more = [cause("catalog", None, f"a trigger {number}") for number in range(4)]
    names = ("buy", "read", "deliver")
    found = document(dict.fromkeys((*names, "top_up"), SLOW))
    of = {"buy": [more[0], gone[0], *more[1:]], "read": [gone[1]], "deliver": [gone[2]], "top_up": []}
    found["functions"] = [{**each, "cause": of[each["id"]]} for each in found["functions"]]
    told = causes_of(found)
    assert told[0] == ("the index is gone: 40 pages", [name for name in of if name in names])
    assert [text for text, _ in told[1:]] == [
        "a trigger 0", "a trigger 1", "2 more changes, in the run document",
        "no cause was found: the statements, their plans and the source are the same",
    ]  # fmt: skip
    assert [names for _, names in told[1:]] == [["buy"], ["buy"], ["buy"], ["top_up"]]


OFFENCES = {
    "slower and exit 0": (("exit_code",), 0),
    "slower, and no function is": (("functions", 0, "verdict"), "cannot_tell"),
    "an unknown word": (("functions", 0, "figures", 0, "verdict"), "worse"),
    "a function without rounds": (("functions", 0, "rounds"), 0),
    "a figure without its levels": (("functions", 0, "figures", 0, "levels"), None),
}


@pytest.mark.parametrize("name", OFFENCES)
def test_the_schema_refuses(name: str) -> None:
    found = document({"buy": SLOW})
    path, value = OFFENCES[name]
    assert not SCHEMA.is_valid(altered(found, path, value))


def test_the_page_explains_every_field() -> None:
    fields = set(fields_of(SCHEMA.schema))
    assert {each for each in fields if f"`{each}`" not in PAGE} == set()
