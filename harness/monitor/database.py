"""What the database knows: leads that were sold more than once, and how long purchases take.

The statements cost as much as the window holds purchases, and not what the tables hold, on a database with the indexes
of ``20260205000007_monitoring.sql``. Each runs in a transaction of its own that cannot write and does not wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.rows import DictRow, dict_row

from harness.db.admin import connect, refused
from harness.monitor.reading import Reading
from harness.monitor.threshold import CREDITS_TIME, SOLD_COUNT, STRIPE_TIME
from harness.words.errors import CouldNotRun, UsageError

STATEMENT_SECONDS_MAX = 5
LOCK_SECONDS_MAX = 1
LEADS_SHOWN_MAX = 5

SETTINGS: Mapping[str, str] = {
    "application_name": "harness monitor",
    "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
    "lock_timeout": f"{LOCK_SECONDS_MAX}s",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
"""Of each transaction, and of nothing after it: behind a pooler the session is somebody else's next."""

SOLD = """
WITH recent AS MATERIALIZED (
  SELECT p.id FROM marketplace_purchases AS p
  WHERE p.completed_at >= now() - make_interval(secs => %(window)s) AND p.status = 'completed'
), bought AS MATERIALIZED (
  SELECT DISTINCT unnest(ARRAY(
    SELECT item.lead_id FROM marketplace_purchase_items AS item WHERE item.purchase_id = recent.id
  )) AS lead_id
  FROM recent
), bought_again AS MATERIALIZED (
  SELECT bought.lead_id FROM bought WHERE 1 < (
    SELECT count(*) FROM marketplace_purchase_items AS item
    JOIN marketplace_purchases AS p ON p.id = item.purchase_id
    WHERE item.lead_id = bought.lead_id AND p.status = 'completed'
  )
), counted_again AS MATERIALIZED (
  SELECT id FROM leads WHERE sold_count > 1
), both_kinds AS MATERIALIZED (
  SELECT id FROM counted_again UNION SELECT lead_id FROM bought_again
)
SELECT
  (SELECT count(*) FROM both_kinds) AS leads,
  (SELECT count(*) FROM counted_again) AS sold_count_above_one,
  (SELECT count(*) FROM bought_again) AS in_several_purchases,
  ARRAY(SELECT id::text FROM both_kinds ORDER BY 1 LIMIT %(shown)s) AS first_leads,
  (SELECT count(*) FROM recent) AS purchases,
  (SELECT max(completed_at) FROM marketplace_purchases) IS NOT NULL AS ever_sold
"""
"""A lead can be in two purchases though its count says one. Of those only the purchases of the window are asked: the
second sale of a lead is in some window. The array of a subquery is never planned as a join, which would read all."""

TIMES = """
SELECT payment_method, count(*) AS purchases, count(*) FILTER (WHERE seconds > %(alert)s) AS above_alert,
  percentile_disc(0.5) WITHIN GROUP (ORDER BY seconds) AS p50,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY seconds) AS p95,
  max(seconds) AS max
FROM (
  SELECT payment_method, extract(epoch FROM completed_at - created_at)::float8 AS seconds
  FROM marketplace_purchases WHERE completed_at >= now() - make_interval(secs => %(window)s)
) AS completed
GROUP BY payment_method
"""

_METHODS = {"credits": CREDITS_TIME, "stripe": STRIPE_TIME}


class Database:
    """The marketplace's database, open for reading."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._connection.read_only = True
        version = connection.info.parameter_status("server_version") or ""
        # "15.8 (Debian 15.8-0+deb12u1)": what distributors add is not the version.
        self.version = version.split(" ")[0]

    def sold(self, window_s: float) -> Reading:
        """How many leads were sold more than once."""
        rows = self._read(SOLD, {"window": window_s, "shown": LEADS_SHOWN_MAX})
        if isinstance(rows, str):
            return Reading.not_had(SOLD_COUNT, rows)
        (row,) = rows
        if not (row["ever_sold"] or row["leads"]):
            return Reading(SOLD_COUNT, reason="no purchase was ever completed")
        figures = {name: row[name] for name in ("sold_count_above_one", "in_several_purchases")}
        return Reading(
            SOLD_COUNT, row["leads"], counted=row["purchases"], figures=figures, leads=tuple(row["first_leads"])
        )

    def times(self, window_s: float) -> list[Reading]:
        """How long the purchases of the window took from creation to completion, by payment method."""
        rows = self._read(TIMES, {"window": window_s, "alert": CREDITS_TIME.alert})
        if isinstance(rows, str):
            return [Reading.not_had(threshold, rows) for threshold in _METHODS.values()]
        found = {row["payment_method"]: row for row in rows}
        readings = []
        for method, threshold in _METHODS.items():
            if (row := found.get(method)) is None:
                readings.append(Reading(threshold, reason="no purchase was completed in the window"))
                continue
            figures = {name: row[name] for name in ("p50", "p95", "max", "above_alert")}
            readings.append(Reading(threshold, row["p95"], row["max"], row["purchases"], figures))
        return readings

    def _read(self, query: str, parameters: Mapping[str, float]) -> list[DictRow] | str:
        """The rows, or why there are none in time. Raises ``HarnessError`` when there never will be."""
        try:
            with self._connection.transaction(), self._connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute(_settings())
                return cursor.execute(query.encode(), parameters).fetchall()
        except errors.QueryCanceled:
            return f"the database had no answer within {STATEMENT_SECONDS_MAX} s"
        except errors.LockNotAvailable:
            return f"a table was locked for longer than {LOCK_SECONDS_MAX} s"
        except (errors.UndefinedTable, errors.UndefinedColumn) as error:
            raise UsageError(
                "no-marketplace",
                f"the database of the DSN is not the marketplace's: {error.diag.message_primary}",
                remedy="name the database in which its migrations were run",
            ) from error
        except errors.InsufficientPrivilege as error:
            raise UsageError(
                "not-readable",
                f"the role of the DSN may not read what is monitored: {error.diag.message_primary}",
                remedy="make it a member of marketplace_monitor",
            ) from error
        except psycopg.Error as error:
            raise refused(error) from error


def _settings() -> sql.Composed:
    """One statement that makes the settings those of its transaction."""
    each = sql.SQL("set_config({}, {}, true)")
    return sql.SQL("SELECT {}").format(
        sql.SQL(", ").join([each.format(sql.Literal(name), sql.Literal(value)) for name, value in SETTINGS.items()])
    )


@contextmanager
def opened(dsn: str) -> Iterator[Database]:
    """The database of a DSN. Raises ``UsageError`` for a DSN that is none, ``CouldNotRun`` when nobody answers."""
    try:
        connection = connect(dsn)
    except UsageError as error:
        if error.slug != "dsn-unreachable":
            raise
        raise CouldNotRun("database-unreachable", error.seen, remedy="is it up? Monitor the server, too") from error
    with connection:
        yield Database(connection)
