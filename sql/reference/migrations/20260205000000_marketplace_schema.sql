-- The marketplace: who sells which leads to whom, and who has how many credits.
--
-- PostgreSQL lets everybody execute a new function, and only default privileges without a schema can take that back;
-- hosted databases often give it to their roles by name, in the schema. Both must go before the first function is made.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE EXECUTE ON FUNCTIONS FROM anon, authenticated;

-- Not numeric(14,2): a type modifier rounds what does not fit, this refuses it. NaN and Infinity are above every limit.
CREATE DOMAIN money_amount AS numeric
  CHECK (VALUE BETWEEN 0 AND 999999999999.99 AND VALUE = round(VALUE, 2));

CREATE TABLE workspaces (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE workspace_credits (
  workspace_id uuid PRIMARY KEY REFERENCES workspaces,
  balance money_amount NOT NULL DEFAULT 0
);

-- workspace_id is the seller; contact is what a buyer pays for, and shown to nobody else. last_reserved_at is written with
-- every reservation, so that under REPEATABLE READ a buyer whose snapshot is too old to see the reservation fails to lock
-- the lead (40001).
CREATE TABLE leads (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id uuid NOT NULL REFERENCES workspaces,
  price money_amount,
  contact jsonb,
  marketplace_status text NOT NULL DEFAULT 'available'
    CHECK (marketplace_status IN ('available', 'unlisted', 'sold')),
  sold_count integer NOT NULL DEFAULT 0 CHECK (sold_count BETWEEN 0 AND 1),
  sold_at timestamptz,
  last_reserved_at timestamptz,
  CONSTRAINT leads_sold_consistently
    CHECK ((marketplace_status = 'sold') = (sold_count = 1) AND (sold_at IS NOT NULL) = (sold_count = 1))
);

-- completed_at is the clock's (clock_timestamp()): a purchase with credits is made and completed in one transaction, which
-- began at created_at, and how long that took is monitored.
CREATE TABLE marketplace_purchases (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces,
  payment_method text NOT NULL CHECK (payment_method IN ('credits', 'stripe')),
  status text NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'completed', 'failed', 'cancelled', 'refunded', 'refund_required')),
  total money_amount NOT NULL,
  credit_balance_after money_amount,
  download_url text,
  created_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  CONSTRAINT marketplace_purchases_completed_when CHECK (status <> 'completed' OR completed_at IS NOT NULL)
);
CREATE INDEX marketplace_purchases_workspace ON marketplace_purchases (workspace_id);

CREATE TABLE marketplace_purchase_items (
  purchase_id uuid NOT NULL REFERENCES marketplace_purchases,
  lead_id uuid NOT NULL REFERENCES leads,
  price money_amount NOT NULL,
  PRIMARY KEY (purchase_id, lead_id)
);
CREATE INDEX marketplace_purchase_items_lead ON marketplace_purchase_items (lead_id);

-- Purchases of credits: their webhook adds the amount of this row, never an amount of its own.
CREATE TABLE credit_purchases (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces,
  amount money_amount NOT NULL CHECK (amount > 0),
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'completed')),
  credit_balance_after money_amount,
  created_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz
);

-- Every balance is the sum of its entries. The unique keys make a second charge, refund or top-up impossible.
CREATE TABLE credit_ledger (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces,
  kind text NOT NULL CHECK (kind IN ('opening', 'top_up', 'purchase', 'refund')),
  amount numeric NOT NULL CHECK (abs(amount) <= 999999999999.99 AND amount = round(amount, 2)),
  purchase_id uuid REFERENCES marketplace_purchases,
  credit_purchase_id uuid UNIQUE REFERENCES credit_purchases,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (purchase_id, kind),
  CONSTRAINT credit_ledger_sign CHECK (CASE kind WHEN 'purchase' THEN amount <= 0 ELSE amount >= 0 END),
  CONSTRAINT credit_ledger_reason CHECK (
    (kind IN ('purchase', 'refund')) = (purchase_id IS NOT NULL)
    AND (kind = 'top_up') = (credit_purchase_id IS NOT NULL)
  )
);
CREATE INDEX credit_ledger_workspace ON credit_ledger (workspace_id);

CREATE FUNCTION refuse_ledger_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'ledger_is_append_only' USING HINT = 'Correct an entry by another one.';
END
$$;
CREATE TRIGGER credit_ledger_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_ledger
FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();

-- A checkout holds its leads until it is paid, cancelled or expired. One lead may have several rows: expired ones, and
-- those of several checkouts of one workspace.
CREATE TABLE lead_reservations (
  purchase_id uuid NOT NULL REFERENCES marketplace_purchases,
  lead_id uuid NOT NULL REFERENCES leads,
  workspace_id uuid NOT NULL REFERENCES workspaces,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (purchase_id, lead_id)
);
CREATE INDEX lead_reservations_lead ON lead_reservations (lead_id);
CREATE INDEX lead_reservations_expiry ON lead_reservations (expires_at);

-- No foreign key: an event is claimed before anybody looks whether its purchase exists.
CREATE TABLE processed_webhook_events (
  event_id text PRIMARY KEY,
  event_type text NOT NULL,
  purchase_id uuid,
  processed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_idempotency_keys (
  workspace_id uuid NOT NULL REFERENCES workspaces,
  endpoint text NOT NULL,
  key text NOT NULL,
  request_hash text NOT NULL,
  status text NOT NULL DEFAULT 'processing' CHECK (status IN ('processing', 'completed')),
  response jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workspace_id, endpoint, key),
  CONSTRAINT api_idempotency_keys_answered CHECK ((status = 'completed') = (response IS NOT NULL))
);

-- Who shows a token acts for its workspace. A copy of this table opens nothing: it holds the SHA-256 of each token.
CREATE TABLE api_tokens (
  token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
  workspace_id uuid NOT NULL REFERENCES workspaces,
  scopes text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'purchase']),
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz
);
CREATE INDEX api_tokens_workspace ON api_tokens (workspace_id);

-- Hosted databases often give new tables to everybody, too.
REVOKE ALL ON FUNCTION refuse_ledger_change() FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON SEQUENCE credit_ledger_id_seq FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON
  workspaces, workspace_credits, leads, marketplace_purchases, marketplace_purchase_items, credit_purchases,
  credit_ledger, lead_reservations, processed_webhook_events, api_idempotency_keys, api_tokens
FROM PUBLIC, anon, authenticated, service_role;
