"""The rows that came back, as a client's psycopg had them from a real server."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.rows import Rows, rows_of

QUERY = """
SELECT n, n::numeric(9, 2) AS amount, n = 2 AS last, NULL AS nothing, ARRAY[[n, NULL], [1.50, 2]] AS list,
  '{"price": 10.50, "of": [1, true]}'::jsonb AS object, '2026-02-05 10:00:00+00'::timestamptz AS at,
  timestamptz 'infinity' AS until, '3f2504e0-4f89-11d3-9a0c-0305e82c3301'::uuid AS id, 'one' AS said, 'two' AS said
FROM generate_series(1, 2) AS n
"""
LAST: dict[str, Any] = {
    **{"n": "2", "amount": "2.00", "last": True, "nothing": None, "list": [["2", None], ["1.50", "2"]]},
    **{"object": {"price": "10.50", "of": ["1", True]}, "at": "2026-02-05 10:00:00+00", "until": "infinity"},
    **{"id": "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "said": "two"},
}


@pytest.mark.parametrize("binary", [False, True])
def test_the_last_row_by_its_columns(server: AnyServer, binary: bool) -> None:
    with psycopg.connect(server.dsn()) as connection, connection.cursor(binary=binary) as cursor:
        cursor.execute("SET LOCAL timezone = 'UTC'")
        cursor.execute(QUERY)
        assert cursor.pgresult is not None
        found = rows_of(cursor.pgresult)
        cursor.execute("SELECT 1 AS n WHERE false")
        assert rows_of(cursor.pgresult) == Rows(0, None)
    assert found.count == 2
    assert found.last is not None
    if not binary:
        assert found.last == LAST
    exact = ("n", "amount", "last", "nothing", "list", "id", "said")
    assert {name: found.last[name] for name in exact} == {name: LAST[name] for name in exact}
