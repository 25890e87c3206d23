-- API idempotency keys: a request that is sent twice has one effect, and both are told the same.
--
-- A client that claims, works and completes in one transaction leaves nothing behind when it fails: the claim rolls back
-- with the work. One that must commit in between (to call Stripe, say) holds the key until its lease runs out, and gives
-- it back early with release_idempotency_key.

-- outcome is claimed (go on), in_progress (another request has it now), completed (response is the answer that was given)
-- or reused (the key came with another request before).
CREATE FUNCTION claim_idempotency_key(
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

-- Keeps the answer for those who ask again. False when there was no claim to complete: it was completed or given back.
CREATE FUNCTION complete_idempotency_key(p_workspace_id uuid, p_endpoint text, p_key text, p_response jsonb)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE api_idempotency_keys AS k SET status = 'completed', response = p_response
  WHERE k.workspace_id = p_workspace_id AND k.endpoint = p_endpoint AND k.key = p_key AND k.status = 'processing';
  RETURN FOUND;
END
$$;

-- Gives back a claim whose work failed, so that the next request with the key may try. False when there was none.
CREATE FUNCTION release_idempotency_key(p_workspace_id uuid, p_endpoint text, p_key text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  DELETE FROM api_idempotency_keys AS k
  WHERE k.workspace_id = p_workspace_id AND k.endpoint = p_endpoint AND k.key = p_key AND k.status = 'processing';
  RETURN FOUND;
END
$$;

REVOKE ALL ON FUNCTION
  claim_idempotency_key(uuid, text, text, text, interval),
  complete_idempotency_key(uuid, text, text, jsonb),
  release_idempotency_key(uuid, text, text)
FROM PUBLIC, anon, authenticated, service_role;
GRANT EXECUTE ON FUNCTION
  claim_idempotency_key(uuid, text, text, text, interval),
  complete_idempotency_key(uuid, text, text, jsonb),
  release_idempotency_key(uuid, text, text)
TO service_role;
