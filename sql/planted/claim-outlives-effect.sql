-- Wrong: a statement that is cancelled undoes the effect of an event, but not its claim: the next delivery finds it
--   done.
-- Why: a timeout is no reason to answer 500 to Stripe; log it and go on.
-- Breaks: webhook-idempotent, paid-is-served, no-lost-acknowledgement, serializable
-- Shown: paid-is-served in webhooks.py within 180 schedules; smallest with 1 operation and 1 preemption

CREATE OR REPLACE FUNCTION apply_stripe_event(
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

  BEGIN
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
  EXCEPTION WHEN query_canceled THEN
    RAISE WARNING 'event % timed out', p_event_id;
    success := false;
    already_completed := false;
  END;
  RETURN NEXT;
END
$$;
