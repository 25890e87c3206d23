DROP FUNCTION
  release_idempotency_key(uuid, text, text),
  complete_idempotency_key(uuid, text, text, jsonb),
  claim_idempotency_key(uuid, text, text, text, interval);
