-- The rollback plan, step 1: the API goes back to its routes of before, which check, then act, then mark, each step by
-- itself. The functions stay; they do no harm when nobody calls them. This gives those routes the rights that the API
-- otherwise does without. Run it by hand before `harness serve --subject before`, and watch `harness monitor` from then
-- on: this is how leads are sold twice. `non_atomic_api_undone.sql` takes it back.
GRANT SELECT ON
  api_tokens, workspace_credits, leads, marketplace_purchases, marketplace_purchase_items, credit_purchases,
  processed_webhook_events, api_idempotency_keys
TO marketplace_before;
GRANT INSERT ON
  marketplace_purchases, marketplace_purchase_items, credit_ledger, credit_purchases, processed_webhook_events,
  api_idempotency_keys
TO marketplace_before;
GRANT UPDATE (balance) ON workspace_credits TO marketplace_before;
GRANT UPDATE (marketplace_status, sold_count, sold_at) ON leads TO marketplace_before;
GRANT UPDATE (status, completed_at, credit_balance_after) ON marketplace_purchases TO marketplace_before;
GRANT UPDATE (status, completed_at, credit_balance_after) ON credit_purchases TO marketplace_before;
GRANT UPDATE (status, response) ON api_idempotency_keys TO marketplace_before;
