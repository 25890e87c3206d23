"""What a look costs on a large marketplace: as much as its window holds, however much the tables do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.monitor.database import LEADS_SHOWN_MAX, SOLD, TIMES
from tests.monitor.books import as_monitor, database_of

ROWS = 200_000
HOURS = 200
"""So an hour holds a thousand purchases."""
BIG = {"leads", "marketplace_purchases", "marketplace_purchase_items"}
PAGES_PER_PURCHASE = {"sold": 14, "times": 0.1}
"""Four for its items, four for those of the lead, four for their purchases; here as many are made as fit on a page."""
PAGES_ANYWAY = 20

ID = "lpad(to_hex({}), 32, '0')::uuid"


@pytest.fixture(scope="module")
def large(server: AnyServer) -> Iterator[psycopg.Connection[Any]]:
    with database_of(server) as dsn:
        with psycopg.connect(dsn, autocommit=True) as owner, owner.transaction():
            # Without foreign keys and the CHECKs of each row, which cost most of the time and are not measured here.
            owner.execute("SET LOCAL session_replication_role = replica")
            owner.execute("ALTER TABLE leads DROP CONSTRAINT leads_sold_consistently")
            for statement in (
                "INSERT INTO leads (id, workspace_id, marketplace_status, sold_count)"
                " SELECT {id}, {one}, 'sold', 1 FROM generate_series(1, %(rows)s) AS n",
                "INSERT INTO marketplace_purchases"
                " (id, workspace_id, payment_method, status, total, created_at, completed_at)"
                " SELECT {id}, {one}, CASE n %% 2 WHEN 0 THEN 'credits' ELSE 'stripe' END, 'completed', 1,"
                " done - interval '0.1 s', done FROM generate_series(%(rows)s, 1, -1) AS n,"
                " LATERAL (SELECT now() - n * interval '1 hour' * %(hours)s / %(rows)s AS done) AS moment",
                "INSERT INTO marketplace_purchase_items (purchase_id, lead_id, price)"
                " SELECT {id}, {id}, 1 FROM generate_series(1, %(rows)s) AS n",
            ):
                text = statement.format(id=ID.format("n"), one=ID.format("1"))
                owner.execute(text.encode(), {"rows": ROWS, "hours": HOURS})
        with psycopg.connect(dsn, autocommit=True) as owner:
            owner.execute("ANALYZE")
        with psycopg.connect(as_monitor(dsn), autocommit=True) as connection:
            yield connection


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def explained(connection: psycopg.Connection[Any], query: str, window: float) -> Mapping[str, Any]:
    parameters = {"window": window, "alert": 10, "shown": LEADS_SHOWN_MAX}
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        row = cursor.execute(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query.encode(), parameters).fetchone()
    assert row is not None
    plan: Mapping[str, Any] = row[0][0]["Plan"]
    return plan


@pytest.mark.parametrize("window", [300, 3600, 4 * 3600], ids=["5m", "1h", "4h"])
@pytest.mark.parametrize("query", ["sold", "times"])
def test_only_the_window_is_read(large: psycopg.Connection[Any], query: str, window: int) -> None:
    plan = explained(large, {"sold": SOLD, "times": TIMES}[query], window)
    scans = [node for node in nodes(plan) if "Relation Name" in node]
    assert {node["Relation Name"] for node in scans} <= BIG
    assert [node["Node Type"] for node in scans if node["Node Type"] == "Seq Scan"] == []
    purchases = ROWS / HOURS * window / 3600
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert purchases / 100 < pages < PAGES_PER_PURCHASE[query] * purchases + PAGES_ANYWAY


def test_without_its_index_it_would_read_all(large: psycopg.Connection[Any]) -> None:
    plan = explained(large, TIMES.replace("completed_at >=", "completed_at + interval '0' >="), 300)
    assert "Seq Scan" in {node["Node Type"] for node in nodes(plan)}
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] > 1000


def test_the_figures_are_those_of_the_window(large: psycopg.Connection[Any]) -> None:
    rows = large.execute(TIMES.encode(), {"window": 3600, "alert": 10}).fetchall()
    assert 900 < sum(row[1] for row in rows) <= 1000
    assert json.dumps([row[4] for row in rows]) == "[0.1, 0.1]"
