-- A point takes and gives back the lock of its turn. The session "gate" holds the locks of all turns at which a session
-- must stop, and gives them back one by one: that is a step inside a function. Turns are counted by a sequence, which a
-- rollback does not undo. A session that has not said who it is passes every point.
CREATE FUNCTION harness.key(p_session integer, p_turn bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT (18497::bigint << 48) + (p_session::bigint << 24) + p_turn
$$;

CREATE FUNCTION harness.point(p_point integer) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  session text := pg_catalog.current_setting('harness.session', true);
  gate bigint;
BEGIN
  IF session IS NULL OR session = '' THEN
    RETURN true;
  END IF;
  gate := harness.key(session::integer, pg_catalog.nextval('pg_temp.harness_turn'::pg_catalog.regclass));
  IF pg_catalog.pg_advisory_lock(gate) IS NULL OR pg_catalog.pg_advisory_unlock(gate) IS NULL THEN
  END IF;
  RETURN true;
END
$$;

-- The gate's step: the session goes on from its turn.
CREATE PROCEDURE harness.let_on(p_session integer, p_turn bigint) LANGUAGE plpgsql AS $$
BEGIN
  IF NOT pg_catalog.pg_advisory_unlock(harness.key(p_session, p_turn)) THEN
    RAISE EXCEPTION 'turn % of session % was not held', p_turn, p_session;
  END IF;
END
$$;

CREATE TABLE harness.client (session integer PRIMARY KEY, pid integer NOT NULL);

-- Waits until the server has broken the deadlock in which the session is the victim.
CREATE PROCEDURE harness.await_deadlock(p_session integer) LANGUAGE plpgsql AS $$
DECLARE
  its_pid integer := (SELECT pid FROM harness.client WHERE session = p_session);
BEGIN
  FOR moment IN 1..1000 LOOP
    IF NOT EXISTS (
      SELECT FROM unnest(pg_catalog.pg_blocking_pids(its_pid)) AS blocker WHERE blocker <> pg_catalog.pg_backend_pid()
    ) THEN
      RETURN;
    END IF;
    PERFORM pg_catalog.pg_sleep(0.01);
  END LOOP;
  RAISE EXCEPTION 'session % still waits: the deadlock was not broken', p_session;
END
$$;

GRANT EXECUTE ON FUNCTION harness.point(integer) TO PUBLIC;
