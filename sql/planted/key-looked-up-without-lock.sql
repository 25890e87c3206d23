-- Wrong: the key is looked up without its lock: of two requests at once the second sees nothing, waits for the first to
--   commit and overwrites its claim.
-- Why: the unique key of the table lets nobody in twice, so the lock only costs time.
-- Breaks: key-once, serializable
-- Shown: key-once in idempotency_keys.py within 40 schedules; smallest with 2 operations and 1 preemption

CREATE OR REPLACE FUNCTION claim_idempotency_key(
  p_workspace_id uuid, p_endpoint text, p_key text, p_request_hash text, p_lease interval DEFAULT '1 minute'
)
RETURNS TABLE (outcome text, response jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  claim api_idempotency_keys;
BEGIN
  SELECT * INTO claim FROM api_idempotency_keys AS k
  WHERE k.workspace_id = p_workspace_id AND k.endpoint = p_endpoint AND k.key = p_key FOR NO KEY UPDATE;
  IF FOUND AND claim.request_hash IS DISTINCT FROM p_request_hash THEN
    RETURN QUERY SELECT 'reused', NULL::jsonb;
    RETURN;
  ELSIF claim.status = 'completed' THEN
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
