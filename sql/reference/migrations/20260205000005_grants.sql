-- The API reads as service_role and changes money through the functions alone. What it may write directly is what moves
-- no credits: a seller's price, the pending row of a top-up.
GRANT SELECT ON
  workspaces, workspace_credits, leads, marketplace_purchases, marketplace_purchase_items, credit_purchases,
  credit_ledger, lead_reservations, processed_webhook_events, api_idempotency_keys
TO service_role;
GRANT UPDATE (price) ON leads TO service_role;
GRANT INSERT (id, workspace_id, amount) ON credit_purchases TO service_role;
