-- Wrong: the key is looked up without its lock: of two requests at once the second sees nothing, waits for the first to
--   commit and takes its claim for its own.
-- Why: the unique key of the table lets nobody in twice, so the lock only costs time.
-- Breaks: key-once, serializable
-- Shown: key-once in idempotency_keys.py within 40 schedules; smallest with 2 operations and 1 preemption

CREATE OR REPLACE FUNCTION claim_idempotency_key(p_workspace_id uuid, p_endpoint text, p_key text, p_request_hash text)
RETURNS TABLE (outcome text, response jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  claim api_idempotency_keys;
BEGIN
  SELECT * INTO claim FROM api_idempotency_keys AS k
  WHERE k.workspace_id = p_workspace_id AND k.endpoint = p_endpoint AND k.key = p_key;
  IF NOT FOUND THEN
    -- A row that is there all the same was hidden by an old snapshot: ON CONFLICT makes it a 40001, to be retried.
    INSERT INTO api_idempotency_keys (workspace_id, endpoint, key, request_hash)
    VALUES (p_workspace_id, p_endpoint, p_key, p_request_hash) ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT 'claimed', NULL::jsonb;
  ELSIF claim.request_hash IS DISTINCT FROM p_request_hash THEN
    RETURN QUERY SELECT 'reused', NULL::jsonb;
  ELSE
    -- Only the routes of before can have left it half done.
    RETURN QUERY SELECT CASE claim.status WHEN 'completed' THEN 'completed' ELSE 'in_progress' END, claim.response;
  END IF;
END
$$;
