"""The document's way back: the routes on the old path, in front of a database that keeps its functions.

Monitoring alarms, and the properties name what is broken; deployed again, the routes sell every lead once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from harness.cli import main
from harness.db.any_server import AnyServer
from harness.engine.recorder import Perform
from harness.marketplace.demo import give_token
from harness.marketplace.operations import Buy
from harness.marketplace.properties import check_once
from harness.marketplace.start import LeadStart, Start
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.stress.arena import SAFETY, Arena, put_in_place
from harness.words.history import History, Result, Status
from tests.monitor.books import as_monitor
from tests.monitor.served import served

BUYERS = 16
ROUNDS_MAX = 8
"""Two buyers who come at once need not meet between check and mark; of sixteen, in eight rounds, some do."""
LEADS = [f"L{number}" for number in range(ROUNDS_MAX + 1)]
START = Start(
    workspaces={f"W{number}": Decimal(1000) for number in range(BUYERS)},
    leads={name: LeadStart(price=Decimal(10)) for name in LEADS},
)
ROLLBACK = bundled("sql") / "reference" / "rollback"


def buyers_of(lead: str) -> list[Buy]:
    return [Buy(f"W{number}", (lead,), f"{lead}-W{number}") for number in range(BUYERS)]


@pytest.fixture(scope="module")
def arena(server: AnyServer) -> Iterator[Arena]:
    subject = load_subject("reference", bundled("sql"))
    server.ensure_roles((*subject.roles, "marketplace_before"))
    with server.database() as dsn:
        put_in_place(dsn, subject)
        with Arena(dsn, subject, START, [buy for lead in LEADS for buy in buyers_of(lead)]) as arena:
            for name in START.workspaces:
                give_token(arena.owner, f"token of {name}", _uuid(arena, name))
            yield arena


def _uuid(arena: Arena, workspace: str) -> Any:
    return arena.names.id_of("workspace", workspace)


def over_http(arena: Arena, url: str) -> Perform:
    """Operations as requests of workspaces that have a token each. An answer of 5xx says nothing of the outcome."""

    async def perform(_: Any, operation: Buy) -> Result:
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            answer = await client.post(
                "/api/marketplace/purchase",
                headers={"Authorization": f"Bearer token of {operation.workspace}"},
                json={
                    "lead_ids": [str(arena.names.id_of("lead", lead)) for lead in operation.leads],
                    "payment_method": "credits",
                },
            )
        if answer.status_code >= 500:
            return Result(Status.UNKNOWN, str(answer.status_code))
        body = answer.json()
        if answer.status_code == 200:
            return Result(Status.OK, "", (("total", Decimal(body["purchase"]["total"])),))
        assert body["error"] in ("lead_busy", "lead_sold"), body
        return Result(Status.BUSY, "lead_busy") if body["error"] == "lead_busy" else SOLD

    return perform


SOLD = Result(Status.REFUSED, "lead_unavailable")
"""``lead_sold`` in the word of the functions."""


def as_asked(arena: Arena) -> History:
    """The history with the API's purchases under the names of those who asked for them."""
    name_of = arena.names.name_of
    rows = arena.owner.execute(
        "SELECT p.id::text, p.workspace_id::text, item.lead_id::text FROM marketplace_purchases AS p"
        " JOIN marketplace_purchase_items AS item ON item.purchase_id = p.id"
    )
    asked = {purchase: f"{name_of(lead)}-{name_of(workspace)}" for purchase, workspace, lead in rows}
    history = arena.history()
    final = history.final
    named = {part: _named(getattr(final, part), asked) for part in ("purchases", "items", "charges")}
    return replace(history, final=replace(final, **named))


def _named(rows: tuple[tuple[Any, ...], ...], asked: Mapping[str, str]) -> tuple[tuple[Any, ...], ...]:
    return tuple(sorted((asked.get(purchase, purchase), *rest) for purchase, *rest in rows))


def looked(dsn: str, file: Path, url: str) -> tuple[int, dict[str, Any]]:
    written = ("--json", str(file), "--reports", str(file.parent / "reports"))
    code = main(["monitor", "--dsn", as_monitor(dsn), "--metrics-url", f"{url}/metrics", *written])
    return code, {each["id"]: each for each in json.loads(file.read_text())["metrics"]}


def functions(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT oid::regprocedure::text, pg_get_functiondef(oid) FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace ORDER BY 1"
    ).fetchall()


def test_the_routes_can_be_taken_back_and_it_shows(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:9")  # Nobody pays by Stripe: no gateway is started.
    deployed, file = functions(arena.owner), tmp_path / "look.json"
    arena.owner.execute((ROLLBACK / "non_atomic_api.sql").read_bytes())
    code, metrics, lead = 0, dict[str, Any](), ""
    with served(arena.dsn, tmp_path, "--subject", "before") as url:
        for lead in LEADS[:ROUNDS_MAX]:
            arena.race(buyers_of(lead), perform=over_http(arena, url))
            code, metrics = looked(arena.dsn, file, url)
            if metrics["sold-count-consistency"]["verdict"] == "alert":
                break
    assert code == 1
    assert metrics["sold-count-consistency"]["figures"] == {"sold_count_above_one": 0, "in_several_purchases": 1}
    assert metrics["sold-count-consistency"]["leads"] == [str(arena.names.id_of("lead", lead))]
    assert metrics["purchase-conflict-rate"]["counted"] == BUYERS * (LEADS.index(lead) + 1)

    broken = {each.property for each in check_once(as_asked(arena), SAFETY)}
    assert "sold-once" in broken
    assert functions(arena.owner) == deployed

    # Deployed again; what was sold twice is refunded by the functions, which are as they were.
    arena.owner.execute((ROLLBACK / "non_atomic_api_undone.sql").read_bytes())
    arena.owner.execute(
        "SELECT refund_lead_purchase(id) FROM ("
        " SELECT p.id, row_number() OVER (PARTITION BY item.lead_id ORDER BY p.completed_at) AS sale"
        " FROM marketplace_purchases AS p JOIN marketplace_purchase_items AS item ON item.purchase_id = p.id"
        " WHERE p.status = 'completed') AS sold WHERE sale > 1"
    )
    with served(arena.dsn, tmp_path) as url:
        race = arena.race(buyers_of(LEADS[-1]), perform=over_http(arena, url))
        code, metrics = looked(arena.dsn, file, url)
    assert len(race.winners) == 1
    assert metrics["sold-count-consistency"]["verdict"] == "ok"
    # Fifteen of sixteen were told 409: that is what this race is about, and on a marketplace it alarms.
    assert metrics["purchase-conflict-rate"]["value"] == pytest.approx(15 / 16)
    assert code == 1
