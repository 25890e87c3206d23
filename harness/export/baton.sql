-- The baton: nobody leads, every session knows from the table what must have happened before its next step.
--
-- A session counts its stops in a sequence, which others see at once and a rollback does not undo. A step may begin when
-- every session has come to the stop that it had come to in the recorded run; who waited for a lock then must be waiting
-- now, by the server's word. A session that comes to another place than in the recorded run ends with an error, and so do
-- the others: the functions have been changed.
CREATE TABLE harness.session (number integer PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE harness.client (session integer PRIMARY KEY, pid integer NOT NULL);

-- A stop: before this step, on the client (point NULL) or at a point inside a function. A point without a step is passed.
CREATE TABLE harness.stop (
  session integer, number integer, step integer, point integer, place text NOT NULL, PRIMARY KEY (session, number)
);
-- What must be so before a step begins.
CREATE TABLE harness.need (
  step integer, session integer, stop integer NOT NULL, waits boolean NOT NULL, PRIMARY KEY (step, session)
);

CREATE FUNCTION harness.stops(p_session integer) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN coalesce(pg_catalog.pg_sequence_last_value(('harness.stops_' || p_session)::pg_catalog.regclass), -1);
END
$$;

CREATE FUNCTION harness.may_begin(p_step integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN NOT EXISTS (
    SELECT FROM harness.need AS n
    WHERE n.step = p_step AND (
      harness.stops(n.session) < n.stop
      OR n.waits AND NOT EXISTS (
        SELECT FROM harness.client AS c
        WHERE c.session = n.session AND pg_catalog.cardinality(pg_catalog.pg_blocking_pids(c.pid)) > 0
      )
    )
  );
END
$$;

-- The session comes to a stop, and goes on when it is its turn.
CREATE FUNCTION harness.come(p_session integer, p_step integer, p_point integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  reached bigint := pg_catalog.nextval(('harness.stops_' || p_session)::pg_catalog.regclass);
  awaited harness.stop;
  since timestamptz := pg_catalog.clock_timestamp();
  lost text;
BEGIN
  SELECT * INTO awaited FROM harness.stop AS s WHERE s.session = p_session AND s.number = reached;
  IF awaited.session IS NULL OR awaited.point IS DISTINCT FROM p_point
    OR (p_point IS NULL AND awaited.step IS DISTINCT FROM p_step)
  THEN
    RAISE EXCEPTION 'session % came to another place than in the recorded run', p_session USING
      ERRCODE = 'query_canceled',
      DETAIL = 'In the recorded run it came to: ' || coalesce(awaited.place, 'its end') || '.',
      HINT = 'The functions are not those that were recorded: record and export the run again.';
  END IF;
  IF awaited.step IS NULL THEN
    RETURN;
  END IF;
  WHILE NOT harness.may_begin(awaited.step) LOOP
    PERFORM pg_catalog.pg_sleep(0.002);
    IF pg_catalog.clock_timestamp() > since + interval '1 second' THEN
      PERFORM pg_catalog.pg_stat_clear_snapshot();
      SELECT string_agg(s.name, ', ') INTO lost
      FROM harness.need AS n
      JOIN harness.session AS s ON s.number = n.session
      JOIN harness.client AS c USING (session)
      WHERE n.step = awaited.step AND harness.stops(n.session) < n.stop
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = c.pid);
    END IF;
    IF lost IS NOT NULL OR pg_catalog.clock_timestamp() > since + interval '30 seconds' THEN
      RAISE EXCEPTION 'step % cannot begin: %', awaited.step, coalesce(lost || ' has ended before', 'its turn has not come')
      USING
        ERRCODE = 'query_canceled',
        HINT = 'Start all the sessions together (run.sh). If they were, the functions are not those that were recorded: '
          'record and export the run again.';
    END IF;
  END LOOP;
END
$$;

-- What an instrumented function calls. A session that has not entered passes every point.
CREATE FUNCTION harness.point(p_point integer) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  session text := pg_catalog.current_setting('harness.session', true);
BEGIN
  IF session <> '' THEN
    PERFORM harness.come(session::integer, NULL, p_point);
  END IF;
  RETURN true;
END
$$;

-- What a script says before each step on the client.
CREATE PROCEDURE harness.turn(p_session integer, p_step integer) LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM harness.come(p_session, p_step, NULL);
END
$$;

CREATE PROCEDURE harness.enter(p_session integer) LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM pg_catalog.set_config('harness.session', p_session::text, false);
  INSERT INTO harness.client VALUES (p_session, pg_catalog.pg_backend_pid());
END
$$;

-- What a script says when it is through.
CREATE PROCEDURE harness.leave(p_session integer) LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM pg_catalog.nextval(('harness.stops_' || p_session)::pg_catalog.regclass);
END
$$;

-- An error is a part of the run: it must be the recorded one.
CREATE PROCEDURE harness.failed_as_recorded(p_step integer, p_seen text, p_recorded text) LANGUAGE plpgsql AS $$
BEGIN
  IF p_seen <> p_recorded THEN
    RAISE EXCEPTION 'step % ended with % instead of %', p_step, p_seen, p_recorded USING
      HINT = 'The functions are not those that were recorded: record and export the run again.';
  END IF;
END
$$;

GRANT EXECUTE ON FUNCTION harness.point(integer) TO PUBLIC;
GRANT EXECUTE ON PROCEDURE harness.turn(integer, integer), harness.enter(integer), harness.leave(integer),
  harness.failed_as_recorded(integer, text, text) TO PUBLIC;
