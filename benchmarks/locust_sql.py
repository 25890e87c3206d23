"""How much of what pgbench drives does one Locust process drive, asking the same function with as many clients?

    python -m benchmarks.locust_sql [--rounds 6] [--seconds 5] [--clients 32] [--fsync]

Both call ``api_purchase_leads`` once for each purchase of one fresh lead, prepared, one transaction each, on one server
and one database, in turn. pgbench (``-M prepared -j1``) takes its leads from a sequence, and ids and hashes from SQL,
which costs it about a hundredth; the Locust users make theirs in Python, read answers and write samples.
Purchases that were refused are counted on neither side. Exit 1 when the median ratio is below ``RATIO_MIN``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psycopg
from psycopg.conninfo import make_conninfo

from harness.db.provision import provision
from harness.db.server import Server
from harness.load.figures import figures_of
from harness.load.generator import Generator
from harness.load.market import fill
from harness.load.sample import read_samples
from harness.load.stock import Stock, new_salt
from harness.marketplace.subject import load_subject
from harness.resources import bundled
from harness.stress.arena import put_in_place

RATIO_MIN = 0.35
LEADS_PER_SECOND = 20_000

SCRIPT = """\
\\set workspace random(0, {workspaces} - 2)
SELECT replayed, response FROM api_purchase_leads(
  sha256(encode(sha256(('{salt} token ' || :workspace)::bytea), 'hex')::bytea), gen_random_uuid(),
  ARRAY[md5('{salt} lead ' || nextval('pgbench_lead'))::uuid], 'credits', gen_random_uuid()::text, '');
"""


def pgbench(server: Server, dsn: str, script: Path, clients: int, seconds: int) -> float:
    """Transactions a second."""
    said = subprocess.run(
        [
            *(str(server.bin_directory / "pgbench"), "--no-vacuum", "--protocol=prepared", "--jobs=1"),
            *(f"--client={clients}", f"--time={seconds}", f"--file={script}", dsn),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if failed := re.search(r"number of failed transactions: ([1-9]\d*)", said):
        sys.exit(f"pgbench: {failed[0]}")
    found = re.search(r"tps = ([\d.]+)", said)
    assert found, said
    return float(found[1])


def locust(stock: Path, folder: Path, clients: int, seconds: int, seed: int) -> float:
    """Purchases a second, by the raw samples."""
    generator = Generator(Path(__file__).with_name("locust_sql_buyers.py"), stock, folder, clients, seconds, seed=seed)
    generator.run(lambda _: None)
    figures = figures_of(read_samples(generator.samples.glob("*.jsonl")))
    return figures.operations["buy"].counts["ok"] / figures.seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--fsync", action="store_true")
    chosen = parser.parse_args()
    ratios: list[float] = []
    rates: dict[str, float] = {}
    with provision("embedded", fsync=chosen.fsync) as server, TemporaryDirectory() as directory:
        assert isinstance(server, Server)
        subject = load_subject("reference", bundled("sql"))
        server.ensure_roles(subject.roles)
        for number in range(chosen.rounds):
            # A database for each round, so that no round pays for what another has left.
            with server.database() as dsn:
                put_in_place(dsn, subject)
                direct = make_conninfo(dsn, options="-c role=marketplace_api")
                leads = LEADS_PER_SECOND * chosen.seconds
                stock = Stock("reference", new_salt(), direct, "", "", "", leads=leads)
                with psycopg.connect(dsn, autocommit=True) as connection:
                    fill(connection, stock)
                    # From the other end of the leads.
                    connection.execute(
                        f"CREATE SEQUENCE pgbench_lead INCREMENT -1 MINVALUE 0 MAXVALUE {leads} START {leads - 1}"
                    )
                    connection.execute("GRANT USAGE ON SEQUENCE pgbench_lead TO marketplace_api")
                folder = Path(directory) / str(number)
                folder.mkdir()
                stock.write(folder / "stock.json")
                script = folder / "buy.sql"
                script.write_text(SCRIPT.format(workspaces=stock.workspaces, salt=stock.salt), encoding="ascii")
                # Who comes first finds the smaller tables.
                for name in ("pgbench", "locust")[:: 1 if number % 2 else -1]:
                    if name == "pgbench":
                        rates[name] = pgbench(server, direct, script, chosen.clients, chosen.seconds)
                    else:
                        rates[name] = locust(folder / "stock.json", folder, chosen.clients, chosen.seconds, number)
            ratios.append(rates["locust"] / rates["pgbench"])
            print(
                f"pgbench -j1 {rates['pgbench']:7,.0f}/s   locust {rates['locust']:7,.0f}/s   {ratios[-1]:.2f}",
                flush=True,
            )
    print(
        f"median {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), {RATIO_MIN} wanted; "
        f"{chosen.clients} clients, fsync {'on' if chosen.fsync else 'off'}"
    )
    sys.exit(0 if median(ratios) >= RATIO_MIN else 1)


if __name__ == "__main__":
    main()
