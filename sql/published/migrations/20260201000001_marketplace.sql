-- The marketplace's tables: the part of them that the payment functions touch.
--
-- The document names the tables and most of their columns. It names no constraint on amounts, counts or statuses and no
-- ledger, so there are none here: what the functions let through must show.

CREATE TABLE workspaces (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL
);

-- A balance is whole credits; prices are decimal.
CREATE TABLE workspace_credits (
  workspace_id uuid PRIMARY KEY REFERENCES workspaces,
  balance integer NOT NULL DEFAULT 0
);

CREATE TABLE leads (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id uuid NOT NULL REFERENCES workspaces,
  price numeric(10, 2),
  marketplace_status text NOT NULL DEFAULT 'available',
  sold_count integer NOT NULL DEFAULT 0,
  sold_at timestamptz
);

CREATE TABLE marketplace_purchases (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  workspace_id uuid NOT NULL REFERENCES workspaces,
  payment_method text NOT NULL,
  status text NOT NULL DEFAULT 'pending',
  total numeric(10, 2) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz
);

CREATE TABLE marketplace_purchase_items (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  purchase_id uuid NOT NULL REFERENCES marketplace_purchases,
  lead_id uuid NOT NULL REFERENCES leads,
  price numeric(10, 2)
);
CREATE INDEX marketplace_purchase_items_purchase ON marketplace_purchase_items (purchase_id);
CREATE INDEX marketplace_purchase_items_lead ON marketplace_purchase_items (lead_id);

CREATE TABLE processed_webhook_events (
  event_id text PRIMARY KEY,
  event_type text NOT NULL,
  processed_at timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE, DELETE ON
  workspaces, workspace_credits, leads, marketplace_purchases, marketplace_purchase_items, processed_webhook_events
TO service_role;
