-- Wrong: a checkout that has expired is cancelled, but goes on holding its leads until the reservation runs out.
-- Why: reservations end by themselves; who deletes them early only makes work.
-- Breaks: serializable
-- Shown: serializable in webhooks.py within 50 schedules; smallest with 1 operation and 0 preemptions

CREATE OR REPLACE FUNCTION expire_lead_purchase(p_purchase_id uuid, p_status text DEFAULT 'cancelled')
RETURNS TABLE (success boolean, already_completed boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  purchase marketplace_purchases;
BEGIN
  IF p_status IS NULL OR p_status NOT IN ('cancelled', 'failed') THEN
    RAISE EXCEPTION 'wrong_status';
  END IF;
  SELECT * INTO purchase FROM marketplace_purchases AS p WHERE p.id = p_purchase_id FOR NO KEY UPDATE;
  IF purchase.id IS NULL THEN
    RAISE EXCEPTION 'purchase_not_found';
  ELSIF purchase.status <> 'pending' THEN
    RETURN QUERY SELECT false, true;
    RETURN;
  END IF;
  UPDATE marketplace_purchases AS p SET status = p_status WHERE p.id = p_purchase_id;
  RETURN QUERY SELECT true, false;
END
$$;
