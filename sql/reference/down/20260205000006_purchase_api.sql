-- The tokens stay, and the answers that were given to keys.
DROP FUNCTION
  api_stripe_event(text, text, text, uuid, bigint, text),
  api_buy_credits(bytea, uuid, numeric, text, text),
  api_read_purchase(bytea, uuid),
  api_purchase_leads(bytea, uuid, uuid[], text, text, text),
  first_answer(uuid, text, text, text),
  shown_purchase(uuid, uuid),
  workspace_of_token(bytea, text);
