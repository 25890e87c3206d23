"""A look at a service under load sees who waits for what, in its own database, and none of the harness's sessions."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from harness.load.nemesis import ours
from harness.load.watch import Watch


def test_a_look_sees_who_waits_for_what(database: str) -> None:
    with (
        psycopg.connect(database) as holder,
        psycopg.connect(database) as waiter,
        psycopg.connect(ours(database)) as harness,
        psycopg.connect(database, autocommit=True) as idle,
    ):
        holder.execute("CREATE TABLE lead (id int PRIMARY KEY)")
        holder.commit()
        idle.execute("SELECT")
        harness.execute("SELECT")
        holder.execute("LOCK TABLE lead")
        waiting = threading.Thread(target=waiter.execute, args=("SELECT FROM lead",))
        waiting.start()
        watch = Watch(database, lambda: None, ())
        deadline = time.monotonic() + 20
        while not (look := watch.look()).ungranted:
            assert time.monotonic() < deadline
        holder.rollback()
        waiting.join()
        assert look.ungranted == {"relation AccessShareLock on lead": 1}
        assert look.busy == {"Lock: relation": 1, "idle in transaction": 1}
        assert look.connections == 3
        assert look.locks is not None
        assert look.locks >= 2
        waiter.rollback()
        assert watch.look()[5:] == ({}, {})


def test_a_server_that_is_down_is_looked_at_in_vain(tmp_path: object) -> None:
    look = Watch(f"host={tmp_path} connect_timeout=1", lambda: 1, ()).look()
    assert look[1:4] == (None, None, None)
    assert (look.busy, look.ungranted) == (None, None)


@pytest.mark.parametrize("state", ["idle in transaction", "idle in transaction (aborted)"])
def test_a_transaction_that_failed_is_one(database: str, state: str) -> None:
    with psycopg.connect(database) as session:
        if "aborted" in state:
            with pytest.raises(psycopg.errors.DivisionByZero):
                session.execute("SELECT 1 / 0")
        else:
            session.execute("SELECT")
        assert Watch(database, lambda: None, ()).look().busy == {"idle in transaction": 1}
