-- Wrong: of two reports of one payment the second finds the leads sold, to the first, and turns the purchase into a
--   debt.
-- Why: an event is claimed once, so nobody else can be at this purchase.
-- Breaks: all-or-nothing, serializable
-- Shown: serializable in webhooks.py within 20 schedules; smallest with 2 operations and 1 preemption

CREATE OR REPLACE FUNCTION complete_stripe_lead_purchase(p_purchase_id uuid, p_download_url text DEFAULT NULL)
RETURNS TABLE (success boolean, already_completed boolean, lead_ids_marked uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  purchase marketplace_purchases;
  lead_ids uuid[];
  deliverable boolean := false;
BEGIN
  SELECT * INTO purchase FROM marketplace_purchases AS p WHERE p.id = p_purchase_id;
  IF purchase.id IS NULL THEN
    RAISE EXCEPTION 'purchase_not_found';
  ELSIF purchase.payment_method <> 'stripe' THEN
    RAISE EXCEPTION 'wrong_payment_method';
  ELSIF purchase.status IN ('completed', 'refunded', 'refund_required') THEN
    RETURN QUERY SELECT false, purchase.status = 'completed', '{}'::uuid[];
    RETURN;
  END IF;

  IF purchase.status = 'pending' THEN
    SELECT coalesce(array_agg(item.lead_id ORDER BY item.lead_id), '{}') INTO lead_ids
    FROM marketplace_purchase_items AS item WHERE item.purchase_id = p_purchase_id;
    PERFORM lock_leads(lead_ids, p_wait => true);
    deliverable := why_unsaleable(lead_ids, purchase.workspace_id) IS NULL;
  END IF;
  DELETE FROM lead_reservations AS held WHERE held.purchase_id = p_purchase_id;
  IF NOT deliverable THEN
    UPDATE marketplace_purchases AS p SET status = 'refund_required' WHERE p.id = p_purchase_id;
    RETURN QUERY SELECT false, false, '{}'::uuid[];
    RETURN;
  END IF;

  UPDATE leads AS lead SET marketplace_status = 'sold', sold_count = lead.sold_count + 1, sold_at = now()
  WHERE lead.id = ANY (lead_ids);
  UPDATE marketplace_purchases AS p
  SET status = 'completed', completed_at = clock_timestamp(), download_url = p_download_url
  WHERE p.id = p_purchase_id;
  RETURN QUERY SELECT true, false, lead_ids;
END
$$;
