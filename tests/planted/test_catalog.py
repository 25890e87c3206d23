"""The planted faults that no run shows: they stand in the catalog, and ``judge_privileges`` reads them there."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from harness.db.any_server import AnyServer
from harness.db.migrate import apply
from harness.marketplace.planted import PREFIX, fault_files, find_subject, read_fault
from harness.resources import bundled
from harness.verify.privileges import judge_privileges

SQL = bundled("sql")
CATALOG = [fault.name for path in fault_files(SQL) if (fault := read_fault(path)).shown is None]

SAID = {
    "granted-to-customers": "validate_and_lock_leads_for_purchase(uuid[],uuid) may be executed by authenticated",
    "open-by-default": "creates next may be executed by PUBLIC",
    "search-path": "the search_path of refund_lead_purchase(uuid) is public, without pg_temp at the end",
}


def judged(server: AnyServer, name: str) -> dict[str, Any]:
    subject = find_subject(name, SQL)
    server.ensure_roles(subject.roles)
    with server.database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        apply(connection, subject.migrations)
        return judge_privileges(connection, subject)


def test_all_of_them_are_here() -> None:
    assert sorted(SAID) == CATALOG


@pytest.mark.parametrize("name", CATALOG)
def test_a_fault_is_found(server: AnyServer, name: str) -> None:
    entry = judged(server, PREFIX + name)
    assert entry["verdict"] == "violated"
    assert SAID[name] in entry["why"]


@pytest.mark.parametrize("name", ["reference", "planted:off-by-one"])
def test_others_are_not_accused(server: AnyServer, name: str) -> None:
    assert judged(server, name)["verdict"] == "holds"
