"""The seed's race: 100 buyers want one lead at the same moment. One winner, how long it takes, and what each waited.

    python -m benchmarks.race [--rounds 50] [--buyers 100]

Every buyer has a connection of its own, open before the race; the clients share one event loop. A latency is one
buyer's attempt from its first statement to its answer: winners and losers alike. The seed's own figures do not fit
100 attempts at one moment: 100 times 45 ms in 2.34 s is two at a time. So that is measured, too.

The functions are the reference's, as they will be deployed. Every round's history is judged by the safety properties.
Exit 1 if any round has another number of winners than one, or breaks a property.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from statistics import mean, median

from harness.db.any_server import AnyServer
from harness.db.provision import provision
from harness.marketplace.operations import Buy
from harness.marketplace.properties import check_once
from harness.marketplace.start import LeadStart, Start
from harness.marketplace.subject import Subject, load_subject
from harness.resources import bundled
from harness.stress.arena import SAFETY, Arena, Race, put_in_place
from harness.words.verdict import Violation

SEED = "2.34 s, latency 45 (12 to 89) ms"
"""What the seed says of 100 buyers: wall time, and average, least and greatest latency."""


def races(
    server: AnyServer, subject: Subject, buyers: int, at_once: int, rounds: int
) -> Iterator[tuple[Race, list[Violation]]]:
    """So many races from the same start on an open server, ``at_once`` buyers at a time, and what each broke."""
    start = Start(
        workspaces={f"W{number}": Decimal(100) for number in range(buyers)},
        leads={"L": LeadStart(Decimal(10))},
    )
    attempts = [Buy(f"W{number}", ("L",), f"p{number}") for number in range(buyers)]
    server.ensure_roles(subject.roles)
    with server.database() as dsn:
        put_in_place(dsn, subject)
        with Arena(dsn, subject, start, attempts) as arena:
            arena.gather(buyers)
            for _ in range(rounds):
                arena.reset()
                heats = [arena.race(attempts[at : at + at_once], first=at) for at in range(0, buyers, at_once)]
                yield together(heats), check_once(arena.history(), SAFETY)


def together(heats: Sequence[Race]) -> Race:
    """Races that followed one another as one."""
    return Race(
        tuple(call for heat in heats for call in heat.calls),
        sum(heat.seconds for heat in heats),
        tuple(latency for heat in heats for latency in heat.latencies),
    )


def measure(fsync: bool, rounds: int, buyers: int, at_once: int) -> bool:
    """Run the rounds, print a line; true when each had one winner and broke nothing."""
    with provision("embedded", fsync=fsync) as server:
        done = list(races(server, load_subject("reference", bundled("sql")), buyers, at_once, rounds))
    winners = [len(race.winners) for race, _ in done]
    broken = [violation for _, violations in done for violation in violations]
    walls = [race.seconds for race, _ in done]
    # The first round pays for what every connection learns once; it counts like all others.
    latencies = [1000 * latency for race, _ in done for latency in race.latencies]
    print(
        f"fsync {'on ' if fsync else 'off'} {at_once:3} at once  "
        f"{winners.count(1)} of {rounds} rounds with 1 winner of {buyers}, {len(broken)} violations; "
        f"wall {median(walls):.3f} s ({min(walls):.3f} to {max(walls):.3f}), "
        f"latency {mean(latencies):.1f} ({min(latencies):.1f} to {max(latencies):.1f}) ms",
        flush=True,
    )
    return winners.count(1) == rounds and not broken


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--buyers", type=int, default=100)
    chosen = parser.parse_args()
    held = [
        measure(fsync, chosen.rounds, chosen.buyers, at_once)
        for at_once in (chosen.buyers, 2)
        for fsync in (False, True)
    ]
    print(f"the seed: 1 winner of 100, {SEED}")
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
