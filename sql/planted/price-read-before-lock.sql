-- Wrong: the total is added up before the leads are locked, the items are copied after it.
-- Why: declared where it is needed, and no statement more than necessary under the lock.
-- Breaks: serializable, no-false-conflict
-- Shown: no-false-conflict in price_update.py within 20 schedules; smallest with 2 operations and 1 preemption

CREATE OR REPLACE FUNCTION create_lead_purchase(
  p_purchase_id uuid, p_workspace_id uuid, p_lead_ids uuid[], p_payment_method text
)
RETURNS TABLE (purchase_id uuid, total numeric)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  total := (SELECT sum(lead.price) FROM leads AS lead WHERE lead.id = ANY (p_lead_ids));
  IF p_payment_method IS NULL OR p_payment_method NOT IN ('credits', 'stripe') THEN
    RAISE EXCEPTION 'wrong_payment_method';
  END IF;
  PERFORM validate_and_lock_leads_for_purchase(p_lead_ids, p_workspace_id);

  INSERT INTO marketplace_purchases (id, workspace_id, payment_method, total)
  VALUES (p_purchase_id, p_workspace_id, p_payment_method, total);
  INSERT INTO marketplace_purchase_items (purchase_id, lead_id, price)
  SELECT p_purchase_id, lead.id, lead.price FROM leads AS lead WHERE lead.id = ANY (p_lead_ids);

  IF p_payment_method = 'stripe' THEN
    -- Half an hour is the shortest life that Stripe gives to a checkout session, and five minutes are for asking again.
    INSERT INTO lead_reservations (purchase_id, lead_id, workspace_id, expires_at)
    SELECT p_purchase_id, wanted.id, p_workspace_id, clock_timestamp() + interval '35 minutes'
    FROM unnest(p_lead_ids) AS wanted (id);
    UPDATE leads AS lead SET last_reserved_at = clock_timestamp() WHERE lead.id = ANY (p_lead_ids);
  END IF;
  RETURN QUERY SELECT p_purchase_id, total;
END
$$;
