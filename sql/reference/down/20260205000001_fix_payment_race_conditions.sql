-- The data stays: balances, sales and the ledger are as the functions left them.
DROP FUNCTION
  mark_leads_sold_bulk(uuid[]),
  complete_stripe_lead_purchase(uuid, text),
  complete_credit_lead_purchase(uuid, uuid, numeric),
  validate_and_lock_leads_for_purchase(uuid[], uuid),
  why_unsaleable(uuid[], uuid),
  lock_leads(uuid[], boolean);
