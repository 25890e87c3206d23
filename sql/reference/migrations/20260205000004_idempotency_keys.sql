-- API idempotency keys: a request that is sent twice has one effect, and both are told the same.
--
-- Claim, work and completion are one transaction: what fails leaves nothing behind, its claim rolls back with it.
-- So nobody but the API's functions may claim, and no claim has to run out or be given back.

-- outcome is claimed (go on), in_progress (another request has it now), completed (response is the answer of before)
-- or reused (the key came with another request before).
CREATE FUNCTION claim_idempotency_key(p_workspace_id uuid, p_endpoint text, p_key text, p_request_hash text)
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

-- Keeps the answer for those who ask again.
CREATE FUNCTION complete_idempotency_key(p_workspace_id uuid, p_endpoint text, p_key text, p_response jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE api_idempotency_keys AS k SET status = 'completed', response = p_response
  WHERE k.workspace_id = p_workspace_id AND k.endpoint = p_endpoint AND k.key = p_key;
END
$$;

REVOKE ALL ON FUNCTION
  claim_idempotency_key(uuid, text, text, text),
  complete_idempotency_key(uuid, text, text, jsonb)
FROM PUBLIC, anon, authenticated, service_role;
