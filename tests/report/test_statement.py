"""A statement in few columns keeps what it does to which table."""

from __future__ import annotations

import pytest

from harness.report.statement import READ_MAX, shorten, writes

SELECT = "SELECT balance INTO v_balance FROM credits WHERE workspace_id = p_workspace_id FOR UPDATE;"
UPDATE = "UPDATE leads SET sold_count = sold_count + 1, sold_at = f(now(), g(1)) WHERE id = v_lead_id"
INSERT = "INSERT INTO events (id, kind) VALUES (%(event)s, %(kind)s) ON CONFLICT (id) DO NOTHING RETURNING id"
LOOP = "FOR v IN SELECT i.lead_id FROM purchase_items i WHERE i.purchase_id = p_purchase_id ORDER BY 1"


@pytest.mark.parametrize(
    ("sql", "room", "said"),
    [
        ("COMMIT", 4, "COMMIT"),
        ("  BEGIN ;\n", 40, "BEGIN"),
        ("SELECT f(%(x)s, %(y)b)", 40, "SELECT f(:x, :y)"),
        (SELECT, 85, "SELECT balance FROM credits WHERE workspace_id = p_workspace_id FOR UPDATE"),
        (SELECT, 45, "SELECT balance FROM credits … FOR UPDATE"),
        (SELECT, 38, "SELECT … FROM credits … FOR UPDATE"),
        (UPDATE, 80, "UPDATE leads SET sold_count, sold_at WHERE id = v_lead_id"),
        (UPDATE, 40, "UPDATE leads SET sold_count, sold_at …"),
        (INSERT, 70, "INSERT INTO events … ON CONFLICT (id) DO NOTHING RETURNING id"),
        (INSERT, 40, "INSERT INTO events … RETURNING id"),
        (INSERT, 25, "INSERT INTO events …"),
        (LOOP, 80, "FOR v IN SELECT i.lead_id FROM purchase_items i …"),
        (LOOP, 45, "SELECT i.lead_id FROM purchase_items i …"),
        (LOOP, 30, "SELECT … purchase_items i …"),
        (
            "RETURN QUERY SELECT * FROM leads WHERE true FOR UPDATE NOWAIT",
            39,
            "SELECT * FROM leads … FOR UPDATE NOWAIT",
        ),
        (
            "SELECT done FROM complete(%(purchase)s, 'https://x/' || %(p)s) WHERE true",
            30,
            "SELECT done FROM complete(…) …",
        ),
        ("WITH gone AS ( DELETE FROM r WHERE x RETURNING id ) SELECT count(*) FROM gone", 24, "DELETE FROM r …"),
    ],
)
def test_shorten(sql: str, room: int, said: str) -> None:
    assert shorten(sql, room) == said


def test_nothing_is_left_out_where_there_is_room() -> None:
    assert shorten(f"  {UPDATE};", 200) == UPDATE


def test_of_a_very_long_statement_the_beginning_is_told() -> None:
    text = shorten(f"SELECT {', '.join(f'column_{number}' for number in range(9999))} FROM leads", 50_000)
    assert text.startswith("SELECT column_0, column_1, ")
    assert text.endswith("…")
    assert len(text) == READ_MAX + 1


def test_a_lock_is_kept_where_the_table_can_be_named_as_well() -> None:
    sql = "SELECT status INTO v FROM marketplace_purchases WHERE id = p FOR NO KEY UPDATE"
    assert shorten(sql, 42) == "SELECT … marketplace_pu… FOR NO KEY UPDATE"
    assert shorten(sql, 30).startswith("SELECT … marketplace_purchases")


@pytest.mark.parametrize(
    ("sql", "yes"),
    [
        ("SELECT 1 FROM leads FOR UPDATE", False),
        ("SELECT 1 FROM leads FOR NO KEY UPDATE OF l SKIP LOCKED", False),
        ("PERFORM f()", False),
        ("UPDATE leads SET x = 1", True),
        ("WITH a AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM a", True),
        ("DELETE FROM t", True),
        ("COMMIT", True),
        ("", False),
    ],
)
def test_writes(sql: str, yes: bool) -> None:
    assert writes(sql) is yes
