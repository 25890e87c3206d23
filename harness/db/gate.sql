-- The scheduling point that instrumented functions call.
--
-- A session under control has a temporary sequence, named by its oid in the setting harness.turn: nextval is not undone
-- by a rollback and works in read-only transactions. In every other session the setting is missing and a point costs
-- half a microsecond.
--
-- The point announces itself with an INFO message, which always reaches the client and at once, and then takes and gives
-- back the advisory lock of its turn. Most turns are free; the controller holds the one at which the session must stop,
-- and to let it go on takes that of the next stop before it gives back this one.
--
-- Only a session that has stopped looks whether a fault is meant for it: the lock of turn 0, which no point has, is
-- held by the controller then, and a lock of two numbers says what to raise.
CREATE SCHEMA harness;
GRANT USAGE ON SCHEMA harness TO PUBLIC;

CREATE FUNCTION harness.gate(p_pid integer, p_turn bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  -- 'HA' in the uppermost bits keeps clear of the keys that applications use; pids have 22 bits, turns wrap after 2^24.
  SELECT (18497::bigint << 48) + ((p_pid & 4194303)::bigint << 24) + (p_turn & 16777215)
$$;

CREATE FUNCTION harness.point(p_point integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  turn bigint := pg_catalog.nextval(pg_catalog.current_setting('harness.turn', true)::pg_catalog.oid::pg_catalog.regclass);
  gate bigint;
BEGIN
  IF turn IS NULL THEN
    RETURN true;
  END IF;
  RAISE INFO USING ERRCODE = 'HP001', MESSAGE = p_point::pg_catalog.text || ' ' || turn::pg_catalog.text;
  gate := harness.gate(pg_catalog.pg_backend_pid(), turn);
  IF pg_catalog.pg_try_advisory_lock(gate) THEN
    RETURN pg_catalog.pg_advisory_unlock(gate);
  END IF;
  -- IF with a simple expression, not PERFORM: a query would cost a trip through SPI.
  IF coalesce(pg_catalog.current_setting('harness.lock_timeout', true), '') <> '' AND harness.lift_lock_timeout() THEN
  END IF;
  IF pg_catalog.pg_advisory_lock(gate) IS NULL OR pg_catalog.pg_advisory_unlock(gate) IS NULL THEN
  END IF;
  gate := harness.gate(pg_catalog.pg_backend_pid(), 0);
  IF pg_catalog.pg_try_advisory_lock_shared(gate) THEN
    RETURN pg_catalog.pg_advisory_unlock_shared(gate);
  END IF;
  RETURN harness.suffer();
END
$$;

-- The mark of a statement or branch without a point: announces that it is reached, waits for nothing, is no step. It is
-- called only where the setting harness.mark_<number> is 1: the controller asks for those that nobody has seen yet.
CREATE FUNCTION harness.mark(p_mark integer) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  RAISE INFO USING ERRCODE = 'HP002', MESSAGE = p_mark::pg_catalog.text;
  RETURN true;
END
$$;

-- Tells the values of variables, right before the point at which they have them: only in the copy of a function that is
-- made for looking at one run.
CREATE FUNCTION harness.saw(p_point integer, p_values json) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  RAISE INFO USING ERRCODE = 'HP004', MESSAGE = p_point::pg_catalog.text, DETAIL = p_values::pg_catalog.text;
  RETURN true;
END
$$;

-- What the controller has prepared for this session: a SQLSTATE to raise, its five characters being the digits of a number
-- in base 36, or, for 0, a lock timeout that the next stop lifts.
CREATE FUNCTION harness.suffer() RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  digits CONSTANT text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
  number bigint;
  state text := '';
BEGIN
  SELECT held.objid::bigint INTO number
  FROM pg_catalog.pg_lock_status() AS held
  WHERE held.locktype = 'advisory' AND held.objsubid = 2 AND held.granted
    AND held.classid::bigint = 4294967296 - pg_catalog.pg_backend_pid();
  RAISE INFO USING ERRCODE = 'HP003', MESSAGE = 'struck';
  IF number = 0 THEN
    RETURN pg_catalog.set_config('harness.lock_timeout', pg_catalog.current_setting('lock_timeout'), true) IS NOT NULL
      AND pg_catalog.set_config('lock_timeout', '1ms', true) IS NOT NULL;
  END IF;
  FOR place IN 1..5 LOOP
    state := pg_catalog.substr(digits, (number % 36)::integer + 1, 1) || state;
    number := number / 36;
  END LOOP;
  RAISE EXCEPTION USING ERRCODE = state, MESSAGE = 'injected by the harness';
END
$$;

CREATE FUNCTION harness.lift_lock_timeout() RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  RETURN pg_catalog.set_config('lock_timeout', pg_catalog.current_setting('harness.lock_timeout'), true) IS NOT NULL
    AND pg_catalog.set_config('harness.lock_timeout', '', true) IS NOT NULL;
END
$$;

GRANT EXECUTE ON FUNCTION harness.point(integer), harness.mark(integer), harness.saw(integer, json),
  harness.gate(integer, bigint), harness.suffer(), harness.lift_lock_timeout() TO PUBLIC;
