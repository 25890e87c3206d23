REVOKE SELECT (purchase_id, lead_id) ON marketplace_purchase_items FROM marketplace_monitor;
REVOKE SELECT (id, payment_method, status, created_at, completed_at) ON marketplace_purchases FROM marketplace_monitor;
REVOKE SELECT (id, sold_count) ON leads FROM marketplace_monitor;
DROP INDEX marketplace_purchases_completed, leads_sold_again;
