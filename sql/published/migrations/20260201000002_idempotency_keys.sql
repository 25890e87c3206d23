-- Keys of the API's requests. Whose a key is and which request it came with is noted, for people.
CREATE TABLE api_idempotency_keys (
  key text PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces,
  endpoint text NOT NULL,
  request_hash text NOT NULL,
  status text NOT NULL DEFAULT 'processing',
  response jsonb
);

GRANT SELECT, INSERT, UPDATE, DELETE ON api_idempotency_keys TO service_role;
