-- Wrong: a refund reads its purchase without the lock, so that of two at once the second runs into the unique key of the
--   ledger.
-- Why: refunds are rare, and the ledger takes one entry for each.
-- Breaks: serializable
-- Shown: serializable in one_workspace.py within 60 schedules; smallest with 2 operations and 1 preemption

CREATE OR REPLACE FUNCTION refund_lead_purchase(p_purchase_id uuid)
RETURNS TABLE (success boolean, already_completed boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  purchase marketplace_purchases;
BEGIN
  SELECT * INTO purchase FROM marketplace_purchases AS p WHERE p.id = p_purchase_id;
  IF purchase.id IS NULL THEN
    RAISE EXCEPTION 'purchase_not_found';
  ELSIF purchase.status = 'refunded' THEN
    RETURN QUERY SELECT false, true;
    RETURN;
  ELSIF purchase.payment_method = 'credits' AND purchase.status <> 'completed' THEN
    RAISE EXCEPTION 'purchase_not_refundable';
  END IF;

  DELETE FROM lead_reservations AS held WHERE held.purchase_id = p_purchase_id;
  IF purchase.payment_method = 'credits' THEN
    UPDATE workspace_credits AS credits SET balance = credits.balance + purchase.total
    WHERE credits.workspace_id = purchase.workspace_id;
    INSERT INTO credit_ledger (workspace_id, kind, amount, purchase_id)
    VALUES (purchase.workspace_id, 'refund', purchase.total, p_purchase_id);
  END IF;
  UPDATE marketplace_purchases AS p SET status = 'refunded' WHERE p.id = p_purchase_id;
  RETURN QUERY SELECT true, false;
END
$$;
