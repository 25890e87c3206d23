-- Wrong: the row of the top-up is read without its lock, so that of two deliveries at once the second runs into the unique
--   key of the ledger.
-- Why: the ledger takes one entry for a top-up, so that the lock only costs time.
-- Breaks: serializable
-- Shown: serializable in top_up.py within 20 schedules; smallest with 2 operations and 1 preemption

CREATE OR REPLACE FUNCTION complete_credit_top_up(p_credit_purchase_id uuid)
RETURNS TABLE (success boolean, already_completed boolean, new_credit_balance numeric, error_message text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  top_up credit_purchases;
BEGIN
  SELECT * INTO top_up FROM credit_purchases AS c WHERE c.id = p_credit_purchase_id;
  IF top_up.id IS NULL THEN
    RETURN QUERY SELECT false, false, NULL::numeric, 'top_up_not_found';
    RETURN;
  ELSIF top_up.status = 'completed' THEN
    RETURN QUERY SELECT true, true, top_up.credit_balance_after::numeric, NULL;
    RETURN;
  END IF;

  INSERT INTO workspace_credits AS credits (workspace_id, balance) VALUES (top_up.workspace_id, top_up.amount)
  ON CONFLICT (workspace_id) DO UPDATE SET balance = credits.balance + excluded.balance
  RETURNING credits.balance INTO new_credit_balance;
  INSERT INTO credit_ledger (workspace_id, kind, amount, credit_purchase_id)
  VALUES (top_up.workspace_id, 'top_up', top_up.amount, top_up.id);
  UPDATE credit_purchases AS c
  SET status = 'completed', credit_balance_after = new_credit_balance, completed_at = clock_timestamp()
  WHERE c.id = top_up.id;
  RETURN QUERY SELECT true, false, new_credit_balance, NULL;
END
$$;
