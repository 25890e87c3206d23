-- Wrong: leads are locked in the order in which the client lists them, so that two lists can lock each other out.
-- Why: the sort looked like a nicety: the lock is the same, whatever the order.
-- Breaks: no-deadlock
-- Shown: no-deadlock in bulk_marking.py within 40 schedules; smallest with 2 operations and 1 preemption

CREATE OR REPLACE FUNCTION lock_leads(p_lead_ids uuid[], p_wait boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  lead_key bigint;
BEGIN
  -- In the order of the keys, not of the ids: should two leads ever share a key, there is still no circle.
  FOR lead_key IN SELECT hashtextextended(lead_id::text, 20260205) FROM unnest(p_lead_ids) AS lead_id LOOP
    IF p_wait THEN
      PERFORM pg_advisory_xact_lock(lead_key);
    ELSIF NOT pg_try_advisory_xact_lock(lead_key) THEN
      RAISE EXCEPTION 'lead_busy' USING ERRCODE = 'lock_not_available', HINT = 'Another buyer is at it. Try again.';
    END IF;
  END LOOP;
  -- Against price changes and the like. Items that refer to a lead do not conflict with NO KEY UPDATE.
  PERFORM FROM leads WHERE id = ANY (p_lead_ids) ORDER BY id FOR NO KEY UPDATE;
END
$$;
