"""What runs in a statement that no step shows."""

from __future__ import annotations

import pytest

from harness.db.plan import Opaque, Plan, Rewritten
from harness.verify.unshown import unshown

SOURCE = """
DECLARE
  -- not FROM purchases
  v_status text := (SELECT status FROM leads WHERE id = p_id);
BEGIN
  DECLARE v_inner int := 1; BEGIN NULL; END;
END"""
OF = unshown(
    Plan(
        points=(),
        opaque=(Opaque("public.elsewhere(integer)", "written in C"), Opaque("public.buy(uuid) line 3", "a loop")),
        atomic=("shop.price(uuid)",),
        rewritten=(
            Rewritten("public.buy(uuid)", "", SOURCE, ""),
            Rewritten('public."Sell"(uuid)', "", "BEGIN NULL; END", ""),
            Rewritten("public.buy(text)", "", "DECLARE v_all bigint := count_of(t); BEGIN NULL; END", ""),
        ),
    )
)
DECLARED = "v_status text := (SELECT status FROM leads WHERE id = p_id);"


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("SELECT 1", ""),
        ("SELECT buyer FROM buy", ""),
        ("SELECT * FROM public.buy(%(lead)s)", f"{DECLARED}; v_all bigint := count_of(t);"),
        ('SELECT public."Sell" (1)', ""),
        ("SELECT BUY(1), price(2)", None),
        ("SELECT elsewhere(1)", None),
    ],
)
def test_it_is_what_the_functions_declare_that_it_calls(statement: str, text: str | None) -> None:
    assert OF(statement) == text
