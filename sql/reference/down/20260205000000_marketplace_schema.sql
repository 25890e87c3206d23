-- The only step back that loses data: the marketplace itself goes.
DROP TABLE
  api_tokens, api_idempotency_keys, processed_webhook_events, lead_reservations, credit_ledger, credit_purchases,
  marketplace_purchase_items, marketplace_purchases, leads, workspace_credits, workspaces;
DROP FUNCTION refuse_ledger_change();
DROP DOMAIN money_amount;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
