DROP FUNCTION
  complete_idempotency_key(uuid, text, text, jsonb),
  claim_idempotency_key(uuid, text, text, text);
