-- Monitoring: what `harness monitor` reads, found without reading the tables, for a role that can read this alone.
--
-- On a live marketplace make both indexes CONCURRENTLY beforehand, under these names; they are then left as they are.
-- The first is empty while all is well. Both keep an update of the row from being a heap-only one, once in its life.
CREATE INDEX IF NOT EXISTS leads_sold_again ON leads (id) WHERE sold_count > 1;
CREATE INDEX IF NOT EXISTS marketplace_purchases_completed ON marketplace_purchases (completed_at)
  WHERE completed_at IS NOT NULL;

-- Hosted databases often give new tables to every role that they know; whatever this one was given goes first.
REVOKE ALL ON
  workspaces, workspace_credits, leads, marketplace_purchases, marketplace_purchase_items, credit_purchases,
  credit_ledger, lead_reservations, processed_webhook_events, api_idempotency_keys
FROM marketplace_monitor;
GRANT SELECT (id, sold_count) ON leads TO marketplace_monitor;
GRANT SELECT (id, payment_method, status, created_at, completed_at) ON marketplace_purchases TO marketplace_monitor;
GRANT SELECT (purchase_id, lead_id) ON marketplace_purchase_items TO marketplace_monitor;
