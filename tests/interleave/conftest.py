"""A bank whose functions the tests race."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

SCHEMA = """
CREATE TABLE account (id integer PRIMARY KEY, balance integer NOT NULL);
INSERT INTO account VALUES (1, 100), (2, 100);

CREATE FUNCTION withdraw(p_id integer, p_amount integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE v_balance integer;
BEGIN
  SELECT balance INTO v_balance FROM account WHERE id = p_id;
  IF v_balance < p_amount THEN RETURN false; END IF;
  UPDATE account SET balance = balance - p_amount WHERE id = p_id;
  RETURN true;
END $$;

CREATE FUNCTION withdraw_locked(p_id integer, p_amount integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE v_balance integer;
BEGIN
  SELECT balance INTO v_balance FROM account WHERE id = p_id FOR UPDATE;
  IF v_balance < p_amount THEN RETURN false; END IF;
  UPDATE account SET balance = balance - p_amount WHERE id = p_id;
  RETURN true;
END $$;

CREATE FUNCTION move(p_from integer, p_to integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE account SET balance = balance - 1 WHERE id = p_from;
  UPDATE account SET balance = balance + 1 WHERE id = p_to;
END $$;
"""


@pytest.fixture
def bank(database: str) -> Iterator[psycopg.Connection[Any]]:
    """The test's own connection to its database, with two accounts of 100."""
    with psycopg.connect(database, autocommit=True) as bank:
        bank.execute(SCHEMA)
        yield bank
