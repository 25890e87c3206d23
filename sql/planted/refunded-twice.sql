-- Wrong: a refund that is asked for twice is paid twice.
-- Why: refunds may come in parts, so that a refunded purchase can be refunded again; the unique key of the ledger went
--   for the same reason.
-- Breaks: conservation, serializable
-- Shown: conservation in contract.py within 30 schedules; smallest with 3 operations and 0 preemptions

ALTER TABLE credit_ledger DROP CONSTRAINT credit_ledger_purchase_id_kind_key;

CREATE OR REPLACE FUNCTION refund_lead_purchase(p_purchase_id uuid)
RETURNS TABLE (success boolean, already_completed boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  purchase marketplace_purchases;
BEGIN
  SELECT * INTO purchase FROM marketplace_purchases AS p WHERE p.id = p_purchase_id FOR NO KEY UPDATE;
  IF purchase.id IS NULL THEN
    RAISE EXCEPTION 'purchase_not_found';
  ELSIF purchase.payment_method = 'credits' AND purchase.status NOT IN ('completed', 'refunded') THEN
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
