-- Back to the functions: the routes of before lose what they were given.
REVOKE ALL ON
  api_tokens, workspace_credits, leads, marketplace_purchases, marketplace_purchase_items, credit_ledger,
  credit_purchases, processed_webhook_events, api_idempotency_keys
FROM marketplace_before;
