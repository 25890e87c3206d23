-- Wrong: the purchase that is to expire is read without its lock: one that is paid meanwhile is cancelled all the same.
-- Why: the UPDATE below takes the lock anyway.
-- Breaks: all-or-nothing, paid-is-served, serializable
-- Shown: paid-is-served in webhooks.py within 120 schedules; smallest with 2 operations and 1 preemption

CREATE OR REPLACE FUNCTION expire_lead_purchase(p_purchase_id uuid, p_status text DEFAULT 'cancelled')
RETURNS TABLE (success boolean, already_completed boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  purchase marketplace_purchases;
BEGIN
  IF p_status IS NULL OR p_status NOT IN ('cancelled', 'failed') THEN
    RAISE EXCEPTION 'wrong_status';
  END IF;
  SELECT * INTO purchase FROM marketplace_purchases AS p WHERE p.id = p_purchase_id;
  IF purchase.id IS NULL THEN
    RAISE EXCEPTION 'purchase_not_found';
  ELSIF purchase.status <> 'pending' THEN
    RETURN QUERY SELECT false, true;
    RETURN;
  END IF;
  DELETE FROM lead_reservations AS held WHERE held.purchase_id = p_purchase_id;
  UPDATE marketplace_purchases AS p SET status = p_status WHERE p.id = p_purchase_id;
  RETURN QUERY SELECT true, false;
END
$$;
