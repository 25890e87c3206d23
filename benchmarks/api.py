"""The purchase API beside pgbench running the very SQL that it sends, and a hundred buyers of one lead over HTTP.

    python -m benchmarks.api [--rounds 5] [--seconds 5] [--connections 8] [--races 50]

Needs wrk. For fsync off (data in memory) and on (data on disk): rounds in turn of `pgbench -M prepared` with 32 clients
and of `wrk` with 32 connections against one worker; the ratio is that of each round, their median is told. Every
purchase is of leads of its own by one of 32 workspaces, with an idempotency key. Any answer but 200 fails the run, and
so does a purchase that is not in the database.

Then requests come at random moments at half of the API's rate, for the percentiles; and the time of a request is told
apart: CPU time of the API, of PostgreSQL and of wrk, and within the API what framework and driver take by themselves.

Exit 1 when a purchase failed, or a race had another number of winners than one.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import psycopg

from harness.db.binaries import choose_binaries
from harness.db.migrate import apply
from harness.db.server import Server
from harness.marketplace.subject import load_subject
from harness.purchase.app import create_app
from harness.purchase.checkout import Bill
from harness.purchase.pool import PLANS, Limits, Pool
from harness.purchase.process import API_ROLE
from harness.purchase.settings import Settings
from harness.purchase.store import Functions
from harness.purchase.workers import Workers, serving
from harness.resources import bundled

CLIENTS = 32
BUYERS = 100
SECRETS = {"STRIPE_WEBHOOK_SECRET": "whsec_x", "STRIPE_API_KEY": "sk_test_x", "STRIPE_API_BASE": "http://127.0.0.1:9"}
PATH = "/api/marketplace/purchase"
LEADS_PER_SECOND = 12_000
"""More than any round can sell."""

CALL = Functions.PURCHASE_LEADS.replace("%s", "{}").format(
    "sha256(('token ' || :client_id)::bytea)",
    "gen_random_uuid()",
    "ARRAY[lpad((:n)::text, 32, '0')::uuid]",
    "'credits'",
    "gen_random_uuid()::text",
    f"'{hashlib.sha256().hexdigest()}'",
)
PGBENCH = f"\\set i :i + 1\n\\set n :base + :i * {CLIENTS} + :client_id\n{CALL};\n"

WRK = """
local number, pause = tonumber(os.getenv("BASE")), tonumber(os.getenv("PAUSE_MS"))
local buyer, bad = 0, 0
function request()
  number, buyer = number + 1, (buyer + 1) % 32
  local lead = string.format("%032d", number)
  local headers = {["Content-Type"] = "application/json", ["Authorization"] = "Bearer token " .. buyer}
  local body = '{"lead_ids":["' .. lead .. '"],"payment_method":"credits","idempotency_key":"' .. lead .. '"}'
  return wrk.format("POST", "/api/marketplace/purchase", headers, body)
end
if pause > 0 then
  function delay() return math.floor(-math.log(1 - math.random()) * pause) end
end
function response(status, headers, body)
  if status ~= 200 then
    bad = bad + 1
    if bad <= 3 then print("NOT 200: " .. status .. " " .. body) end
  end
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a round: purchases, per second, and latencies as wrk prints them."""

    purchases: int
    rate: float
    p50: str = ""
    p99: str = ""


class Ground:
    """A database with enough to sell, and the figures of its processes."""

    def __init__(self, server: Server, dsn: str) -> None:
        self.server, self.dsn = server, dsn
        self._next = 1

    def leads(self, seconds: float) -> int:
        """The number before the first lead of a round that nobody has asked for."""
        first, self._next = self._next, self._next + int(seconds * LEADS_PER_SECOND)
        return first

    def completed(self) -> int:
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute("SELECT count(*) FROM marketplace_purchases WHERE status = 'completed'").fetchone()
        assert row is not None
        return int(row[0])

    def cpu_s(self) -> float:
        """Of the postmaster's children, those that have ended included."""
        children = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split()
        return cpu_of(self.server.pid)[1] + sum(cpu_of(int(child))[0] for child in children)


def cpu_of(pid: int) -> tuple[float, float]:
    """Seconds of a process, and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0.0
    ticks = [int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:15]]
    return ticks[0] + ticks[1], ticks[2] + ticks[3]


@contextmanager
def ground(fsync: bool, leads: int) -> Iterator[Ground]:
    """A server with so many leads on sale."""
    subject = load_subject("reference", bundled("sql"))
    directory = Path(tempfile.gettempdir()) if fsync else None
    settings = {"autovacuum": True}
    with Server(choose_binaries("embedded"), settings=settings, fsync=fsync, directory=directory) as server:
        server.ensure_roles(subject.roles)
        with server.database() as dsn:
            with psycopg.connect(dsn, autocommit=True) as owner:
                apply(owner, subject.migrations)
                owner.execute("SET session_replication_role = replica")
                owner.execute(
                    "INSERT INTO workspaces (id, name) SELECT md5(n::text)::uuid, n FROM generate_series(0, %s) AS n",
                    [BUYERS],
                )
                owner.execute("INSERT INTO workspace_credits SELECT id, 999999999 FROM workspaces")
                owner.execute(
                    "INSERT INTO api_tokens (token_hash, workspace_id, scopes) SELECT "
                    "sha256(('token ' || name)::bytea), id, ARRAY['read', 'purchase'] FROM workspaces WHERE name <> %s",
                    [str(BUYERS)],
                )
                owner.execute(
                    "INSERT INTO leads (id, workspace_id, price, contact) SELECT lpad(n::text, 32, '0')::uuid, "
                    'md5(%s::text)::uuid, 10, \'{"phone": "555"}\' FROM generate_series(1, %s) AS n',
                    [BUYERS, leads],
                )
                owner.execute("VACUUM ANALYZE")
            yield Ground(server, dsn)


def pgbench(there: Ground, seconds: int, threads: int = 2) -> Load:
    """The SQL of the API by 32 clients, in its role and with its way of planning."""
    parts = psycopg.conninfo.conninfo_to_dict(there.dsn)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(PGBENCH)
        script.flush()
        command = [there.server.bin_directory / "pgbench", "-n", "-M", "prepared", "-c", CLIENTS, "-j", threads]
        command += ["-T", seconds, "-D", "i=0", "-D", f"base={there.leads(seconds)}", "-f", script.name]
        command += ["-h", parts["host"], "-p", parts["port"], "-U", parts["user"], parts["dbname"]]
        environment = {**os.environ, "PGOPTIONS": f"-c role={API_ROLE} {PLANS}"}
        words = [str(word) for word in command]
        said = subprocess.run(words, check=True, capture_output=True, text=True, env=environment).stdout
    done, failed = (int(found) for found in re.findall(r"transactions(?: actually processed)?: (\d+)", said))
    if failed:
        raise SystemExit(f"{failed} transactions of pgbench failed")
    return Load(done, float(re.findall(r"tps = ([\d.]+)", said)[0]))


def wrk(there: Ground, url: str, seconds: int, pause_ms: float = 0.0) -> Load:
    """Purchases over HTTP by 32 connections; each pauses for an exponential time of this mean after an answer."""
    before = there.completed()
    environment = {**os.environ, "BASE": str(there.leads(seconds)), "PAUSE_MS": str(pause_ms)}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK)
        script.flush()
        command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--latency", "-s", script.name, url]
        said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    if wrong := re.findall(r"NOT 200.*|Non-2xx.*|Socket errors.*", said):
        raise SystemExit("; ".join(wrong))
    ((purchases, seconds_taken),) = re.findall(r"(\d+) requests in ([\d.]+)s", said)
    sold = there.completed() - before
    # What is under way when wrk ends was done and is not counted by it.
    if not int(purchases) <= sold <= int(purchases) + CLIENTS:
        raise SystemExit(f"wrk was told of {purchases} purchases, and the database has {sold}")
    p50, p99 = (re.findall(rf"{share}%\s+(\S+)", said)[0] for share in (50, 99))
    return Load(int(purchases), int(purchases) / float(seconds_taken), p50, p99)


def throughput(there: Ground, api: Workers, rounds: int, seconds: int) -> None:
    """Rounds in turn, the rate at half load, and where the time goes."""
    wrk(there, api.url, 2)  # Whoever comes first pays for plans and caches.
    pairs, shares = [], []
    for number in range(rounds):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        found: dict[int, Load] = {}
        for which in order:
            if which == 0:
                found[0] = pgbench(there, seconds)
                continue
            mine, theirs, ours = os.times(), there.cpu_s(), cpu_of(api.pids[0])[0]
            found[1] = wrk(there, api.url, seconds)
            clients = sum(os.times()[2:4]) - sum(mine[2:4])
            used = (cpu_of(api.pids[0])[0] - ours, there.cpu_s() - theirs, clients)
            shares.append([1e6 * each / found[1].purchases for each in used])
        pairs.append((found[0].rate, found[1].rate))
    ratios = sorted(mine / theirs for theirs, mine in pairs)
    rate = median(mine for _, mine in pairs)
    print(f"  pgbench, 32 clients     {median(theirs for theirs, _ in pairs):7.0f} purchases/s")
    spread = f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    print(f"  API, 32 connections     {rate:7.0f} purchases/s, ratio {spread}")
    half = wrk(there, api.url, seconds, pause_ms=1000 * CLIENTS / (rate / 2))
    print(f"  at {half.rate:.0f} a second       p50 {half.p50}, p99 {half.p99}")
    cpu = [median(column) for column in zip(*shares, strict=True)]
    print(f"  CPU of a purchase       API {cpu[0]:.0f} us, PostgreSQL {cpu[1]:.0f} us, wrk {cpu[2]:.0f} us", flush=True)


class NoCheckout:
    """Nobody pays by Stripe here."""

    async def open(self, bill: Bill) -> str:
        raise NotImplementedError(bill)


class Canned:
    """A connection that answers at once."""

    def connection(self) -> Canned:
        return self

    async def __aenter__(self) -> Canned:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def execute(self, *_: object) -> Canned:
        return self

    async def fetchall(self) -> list[tuple[bool, str]]:
        return [(False, '{"purchase": {}}')]


def framework_us(count: int = 3000) -> float:
    """CPU time of a request in the application alone, in microseconds: no HTTP, no database."""
    app = create_app(Canned(), NoCheckout(), Settings("whsec_x"))  # type: ignore[arg-type]
    body = json.dumps(
        {"lead_ids": [str(uuid4())], "payment_method": "credits", "idempotency_key": str(uuid4())}
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer token 1")]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_: Any) -> None: ...

    async def ask() -> None:
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers, "query_string": b""}
        await app(scope, receive, send)

    async def work() -> float:
        for _ in range(200):
            await ask()
        began = time.process_time()
        for _ in range(count):
            await ask()
        return 1e6 * (time.process_time() - began) / count

    return asyncio.run(work())


def driver_us(dsn: str, count: int = 3000) -> float:
    """CPU time of one call on the client's side in microseconds, eight at a time: the pool and psycopg."""

    async def work() -> float:
        async with Pool(dsn, API_ROLE, Limits(8)) as pool:
            # A token that nobody has: the shortest call with these parameters, and its error is read as rows are.
            parameters = [b"x" * 32, uuid4(), [uuid4()], "credits", str(uuid4()), "0" * 64]
            query = "SELECT %s::bytea, %s::uuid, %s::uuid[], %s, %s, %s"

            async def ask(times: int) -> None:
                for _ in range(times):
                    async with pool.connection() as connection:
                        await (await connection.execute(query, parameters)).fetchall()

            await ask(100)
            began = time.process_time()
            await asyncio.gather(*(ask(count // 8) for _ in range(8)))
            return 1e6 * (time.process_time() - began) / count

    return asyncio.run(work())


def races(there: Ground, url: str, rounds: int) -> bool:
    """A hundred buyers, each with a connection that is open before; true when every round had one winner."""
    walls, winners = asyncio.run(race_all(there, url, rounds))
    wall = f"{median(walls):.3f} s ({min(walls):.3f} to {max(walls):.3f}); the seed: 2.34 s"
    print(
        f"  {BUYERS} buyers, one lead    {winners.count(1)} of {rounds} rounds with 1 winner; wall {wall}", flush=True
    )
    return winners.count(1) == rounds


async def race_all(there: Ground, url: str, rounds: int) -> tuple[list[float], list[int]]:
    host, port = url.removeprefix("http://").split(":")
    streams = [await asyncio.open_connection(host, int(port)) for _ in range(BUYERS)]
    walls, winners = [], []
    first = there.leads(1)
    for number in range(rounds):
        requests = [purchase_of(first + number, buyer) for buyer in range(BUYERS)]
        began = time.perf_counter()
        for (_, writer), request in zip(streams, requests, strict=True):
            writer.write(request)
        statuses = await asyncio.gather(*(status_of(reader) for reader, _ in streams))
        walls.append(time.perf_counter() - began)
        if set(statuses) - {200, 409}:
            raise SystemExit(f"a race was answered {sorted(set(statuses))}")
        winners.append(statuses.count(200))
    for _, writer in streams:
        writer.close()
    return walls, winners


def purchase_of(lead: int, buyer: int) -> bytes:
    """The request as it goes over the wire."""
    body = json.dumps({"lead_ids": [f"{lead:032d}"], "payment_method": "credits", "idempotency_key": str(uuid4())})
    head = f"POST {PATH} HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\nAuthorization: Bearer token {buyer}"
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def status_of(reader: asyncio.StreamReader) -> int:
    """Read one answer whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = re.findall(rb"content-length: (\d+)", head)
    await reader.readexactly(int(length))
    return int(head.split(b" ", 2)[1])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--races", type=int, default=50)
    chosen = parser.parse_args(arguments)
    leads = LEADS_PER_SECOND * (chosen.seconds * (2 * chosen.rounds + 1) + 3)
    one_winner = True
    for fsync in (False, True):
        print(f"fsync {'on, on disk' if fsync else 'off, in memory'}", flush=True)
        with ground(fsync, leads) as there:
            environment = {**SECRETS, "MARKETPLACE_DSN": there.dsn, "MARKETPLACE_CONNECTIONS": str(chosen.connections)}
            with serving(environment) as api:
                throughput(there, api, chosen.rounds, chosen.seconds)
                one_winner &= races(there, api.url, chosen.races)
            if not fsync:
                print(
                    f"  of the API's CPU time   framework {framework_us():.0f} us, driver {driver_us(there.dsn):.0f} us"
                )
    return 0 if one_winner else 1


if __name__ == "__main__":
    sys.exit(main())
