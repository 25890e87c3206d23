DROP FUNCTION
  apply_stripe_event(text, text, uuid, text),
  refund_lead_purchase(uuid),
  sweep_expired_reservations(),
  expire_lead_purchase(uuid, text),
  create_lead_purchase(uuid, uuid, uuid[], text);
