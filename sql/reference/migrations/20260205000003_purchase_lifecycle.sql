-- A purchase from its creation to its end: made, reserved, expired, refunded, and told about by Stripe.

-- The pending purchase of these leads at their prices of now; validates them itself, so that none is ever made of leads
-- that somebody else is buying. A Stripe purchase holds its leads while its checkout is open.
CREATE FUNCTION create_lead_purchase(
  p_purchase_id uuid, p_workspace_id uuid, p_lead_ids uuid[], p_payment_method text
)
RETURNS TABLE (purchase_id uuid, total numeric)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF p_payment_method IS NULL OR p_payment_method NOT IN ('credits', 'stripe') THEN
    RAISE EXCEPTION 'wrong_payment_method';
  END IF;
  PERFORM validate_and_lock_leads_for_purchase(p_lead_ids, p_workspace_id);

  INSERT INTO marketplace_purchases AS purchase (id, workspace_id, payment_method, total)
  SELECT p_purchase_id, p_workspace_id, p_payment_method, sum(lead.price)
  FROM leads AS lead WHERE lead.id = ANY (p_lead_ids)
  RETURNING purchase.total INTO total;
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

-- A checkout that came to nothing: a pending purchase ends as p_status and its leads are free again.
-- Freeing needs no lock of the leads: whoever still sees the reservation just came a moment earlier.
CREATE FUNCTION expire_lead_purchase(p_purchase_id uuid, p_status text DEFAULT 'cancelled')
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
  DELETE FROM lead_reservations AS held WHERE held.purchase_id = p_purchase_id;
  UPDATE marketplace_purchases AS p SET status = p_status WHERE p.id = p_purchase_id;
  RETURN QUERY SELECT true, false;
END
$$;

-- Cancels the pending purchases whose reservations have expired. It waits for those that are being completed right now:
-- skipping them would lose one whose completion fails. Nobody else locks two purchases, so id order is enough.
CREATE FUNCTION sweep_expired_reservations() RETURNS TABLE (purchases_cancelled integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  expired_id uuid;
BEGIN
  purchases_cancelled := 0;
  FOR expired_id IN
    SELECT p.id FROM marketplace_purchases AS p
    WHERE p.status = 'pending' AND EXISTS (
      SELECT FROM lead_reservations AS held WHERE held.purchase_id = p.id AND held.expires_at <= clock_timestamp()
    )
    ORDER BY p.id
  LOOP
    purchases_cancelled := purchases_cancelled + (SELECT e.success::integer FROM expire_lead_purchase(expired_id) AS e);
  END LOOP;
  RETURN NEXT;
END
$$;

-- The money goes back, the leads stay sold. Credits return through the ledger; what Stripe returns is Stripe's affair,
-- and it may tell us so whatever we thought of the purchase.
CREATE FUNCTION refund_lead_purchase(p_purchase_id uuid)
RETURNS TABLE (success boolean, already_completed boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  purchase marketplace_purchases;
BEGIN
  SELECT * INTO purchase FROM marketplace_purchases AS p WHERE p.id = p_purchase_id FOR NO KEY UPDATE;
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

-- One delivery of a Stripe event. Claim and effect are one transaction: a crash between them loses both, and the next
-- delivery finds neither. A delivery of the same event at the same time waits for the first to end.
CREATE FUNCTION apply_stripe_event(
  p_event_id text, p_event_type text, p_purchase_id uuid, p_download_url text DEFAULT NULL
)
RETURNS TABLE (success boolean, already_completed boolean, lead_ids_marked uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  lead_ids_marked := '{}';
  INSERT INTO processed_webhook_events (event_id, event_type, purchase_id)
  VALUES (p_event_id, p_event_type, p_purchase_id)
  ON CONFLICT (event_id) DO NOTHING;
  IF NOT FOUND THEN
    RETURN QUERY SELECT false, true, lead_ids_marked;
    RETURN;
  END IF;

  CASE
    WHEN p_event_type IN ('checkout.session.completed', 'checkout.session.async_payment_succeeded') THEN
      SELECT * INTO success, already_completed, lead_ids_marked
      FROM complete_stripe_lead_purchase(p_purchase_id, p_download_url);
    WHEN p_event_type = 'checkout.session.expired' THEN
      SELECT * INTO success, already_completed FROM expire_lead_purchase(p_purchase_id, 'cancelled');
    WHEN p_event_type = 'checkout.session.async_payment_failed' THEN
      SELECT * INTO success, already_completed FROM expire_lead_purchase(p_purchase_id, 'failed');
    WHEN p_event_type = 'charge.refunded' THEN
      SELECT * INTO success, already_completed FROM refund_lead_purchase(p_purchase_id);
    ELSE
      RAISE EXCEPTION 'unknown_event_type';
  END CASE;
  RETURN NEXT;
END
$$;

REVOKE ALL ON FUNCTION
  create_lead_purchase(uuid, uuid, uuid[], text),
  expire_lead_purchase(uuid, text),
  sweep_expired_reservations(),
  refund_lead_purchase(uuid),
  apply_stripe_event(text, text, uuid, text)
FROM PUBLIC, anon, authenticated, service_role;
GRANT EXECUTE ON FUNCTION
  create_lead_purchase(uuid, uuid, uuid[], text),
  expire_lead_purchase(uuid, text),
  sweep_expired_reservations(),
  refund_lead_purchase(uuid),
  apply_stripe_event(text, text, uuid, text)
TO service_role;
