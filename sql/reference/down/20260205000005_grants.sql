REVOKE INSERT (id, workspace_id, amount) ON credit_purchases FROM service_role;
REVOKE UPDATE (price) ON leads FROM service_role;
REVOKE SELECT ON
  workspaces, workspace_credits, leads, marketplace_purchases, marketplace_purchase_items, credit_purchases,
  credit_ledger, lead_reservations, processed_webhook_events, api_idempotency_keys
FROM service_role;
