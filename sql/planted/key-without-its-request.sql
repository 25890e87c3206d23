-- Wrong: a key that comes again with another request gets the answer of the first.
-- Why: a client that sends a key again sends the same request again; that is what keys are for.
-- Breaks: key-once, serializable
-- Shown: key-once in idempotency_keys.py within 40 schedules; smallest with 2 operations and 0 preemptions

CREATE OR REPLACE FUNCTION claim_idempotency_key(
  p_workspace_id uuid, p_endpoint text, p_key text, p_request_hash text, p_lease interval DEFAULT '1 minute'
)
RETURNS TABLE (outcome text, response jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  claim api_idempotency_keys;
BEGIN
  -- Who has it in a transaction of its own is seen by this lock alone; without it we would wait for that one's commit.
  IF NOT pg_try_advisory_xact_lock(hashtextextended(jsonb_build_array(p_workspace_id, p_endpoint, p_key)::text, 1)) THEN
    RETURN QUERY SELECT 'in_progress', NULL::jsonb;
    RETURN;
  END IF;

  SELECT * INTO claim FROM api_idempotency_keys AS k
  WHERE k.workspace_id = p_workspace_id AND k.endpoint = p_endpoint AND k.key = p_key FOR NO KEY UPDATE;
  IF claim.status = 'completed' THEN
    RETURN QUERY SELECT 'completed', claim.response;
    RETURN;
  ELSIF claim.claimed_until > clock_timestamp() THEN
    RETURN QUERY SELECT 'in_progress', NULL::jsonb;
    RETURN;
  END IF;

  INSERT INTO api_idempotency_keys (workspace_id, endpoint, key, request_hash, claimed_until)
  VALUES (p_workspace_id, p_endpoint, p_key, p_request_hash, clock_timestamp() + p_lease)
  ON CONFLICT (workspace_id, endpoint, key) DO UPDATE SET claimed_until = excluded.claimed_until;
  RETURN QUERY SELECT 'claimed', NULL::jsonb;
END
$$;
