-- Wrong: what the caller says is charged, whatever the items cost.
-- Why: the API has just told the customer this amount; it must be the one that is charged.
-- Breaks: conservation, charged-once, serializable
-- Shown: charged-once in contract.py within 10 schedules; smallest with 1 operation and 0 preemptions

CREATE OR REPLACE FUNCTION complete_credit_lead_purchase(
  p_purchase_id uuid, p_workspace_id uuid, p_credit_amount numeric
)
RETURNS TABLE (success boolean, new_credit_balance numeric, error_message text, already_completed boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  purchase marketplace_purchases;
  lead_ids uuid[];
  items_total numeric;
  refusal text;
BEGIN
  SELECT * INTO purchase FROM marketplace_purchases AS p
  WHERE p.id = p_purchase_id AND p.workspace_id = p_workspace_id FOR NO KEY UPDATE;
  SELECT array_agg(item.lead_id ORDER BY item.lead_id), sum(item.price) INTO lead_ids, items_total
  FROM marketplace_purchase_items AS item WHERE item.purchase_id = p_purchase_id;

  refusal := CASE
    WHEN purchase.id IS NULL THEN 'purchase_not_found'
    WHEN purchase.payment_method <> 'credits' THEN 'wrong_payment_method'
    WHEN lead_ids IS NULL OR items_total <> purchase.total THEN 'amount_mismatch'
    WHEN purchase.status NOT IN ('pending', 'completed') THEN 'purchase_not_pending'
  END;
  IF refusal IS NULL AND purchase.status = 'completed' THEN
    RETURN QUERY SELECT true, purchase.credit_balance_after::numeric, NULL, true;
    RETURN;
  END IF;
  IF refusal IS NULL THEN
    PERFORM lock_leads(lead_ids, p_wait => true);
    refusal := why_unsaleable(lead_ids, p_workspace_id);
  END IF;
  IF refusal IS NULL THEN
    UPDATE workspace_credits AS credits SET balance = credits.balance - p_credit_amount
    WHERE credits.workspace_id = p_workspace_id AND credits.balance >= p_credit_amount
    RETURNING credits.balance INTO new_credit_balance;
    IF NOT FOUND THEN
      refusal := 'insufficient_credits';
    END IF;
  END IF;
  IF refusal IS NOT NULL THEN
    RETURN QUERY SELECT false, NULL::numeric, refusal, false;
    RETURN;
  END IF;

  INSERT INTO credit_ledger (workspace_id, kind, amount, purchase_id)
  VALUES (p_workspace_id, 'purchase', -p_credit_amount, p_purchase_id);
  UPDATE leads AS lead SET marketplace_status = 'sold', sold_count = lead.sold_count + 1, sold_at = now()
  WHERE lead.id = ANY (lead_ids);
  UPDATE marketplace_purchases AS p
  SET status = 'completed', credit_balance_after = new_credit_balance, completed_at = clock_timestamp()
  WHERE p.id = p_purchase_id;
  RETURN QUERY SELECT true, new_credit_balance, NULL, false;
END
$$;
