-- Wrong: the answer to a request for a checkout is not kept: its key stays in progress for ever.
-- Why: a checkout is not paid yet, so the request is not complete.
-- Breaks: key-once, serializable
-- Shown: key-once in idempotency_keys.py within 20 schedules; smallest with 1 operation and 0 preemptions

CREATE OR REPLACE FUNCTION api_purchase_leads(
  p_token_hash bytea, p_purchase_id uuid, p_lead_ids uuid[], p_payment_method text, p_key text, p_request_hash text
)
RETURNS TABLE (replayed boolean, response jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  endpoint CONSTANT text := '/api/marketplace/purchase';
  workspace uuid := workspace_of_token(p_token_hash, 'purchase');
  required numeric;
  available numeric;
  charge record;
  missing record;
BEGIN
  replayed := false;
  IF p_key IS NOT NULL THEN
    response := first_answer(workspace, endpoint, p_key, p_request_hash);
    IF response IS NOT NULL THEN
      replayed := true;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;

  BEGIN
    SELECT made.total INTO required
    FROM create_lead_purchase(p_purchase_id, workspace, p_lead_ids, p_payment_method) AS made;
  EXCEPTION WHEN raise_exception THEN
    -- For the buyer it is one thing that a lead was sold and another that it never was on sale.
    IF SQLERRM NOT IN ('lead_unavailable', 'lead_unpriced') THEN
      RAISE;
    END IF;
    SELECT wanted.id, CASE lead.marketplace_status WHEN 'sold' THEN 'lead_sold' ELSE 'lead_not_found' END AS code
    INTO missing
    FROM unnest(p_lead_ids) AS wanted (id) LEFT JOIN leads AS lead ON lead.id = wanted.id
    WHERE (lead.marketplace_status = 'available' AND lead.price IS NOT NULL) IS NOT TRUE
    ORDER BY wanted.id LIMIT 1;
    RAISE EXCEPTION '%', coalesce(missing.code, 'lead_not_found')
      USING DETAIL = jsonb_build_object('lead_id', missing.id);
  END;

  IF p_payment_method = 'credits' THEN
    LOOP
      SELECT * INTO charge FROM complete_credit_lead_purchase(p_purchase_id, workspace, required);
      EXIT WHEN charge.success;
      available := (SELECT credits.balance FROM workspace_credits AS credits WHERE credits.workspace_id = workspace);
      -- Unless credits came in since: then what is told would be no reason.
      IF charge.error_message <> 'insufficient_credits' OR coalesce(available, 0) < required THEN
        RAISE EXCEPTION '%', charge.error_message USING DETAIL = jsonb_build_object(
          'required', round(required, 2)::text, 'available', round(coalesce(available, 0), 2)::text
        );
      END IF;
    END LOOP;
    response := shown_purchase(p_purchase_id, workspace)
      || jsonb_build_object('remaining_credits', round(charge.new_credit_balance, 2)::text);
  ELSE
    -- What Stripe takes in one payment.
    IF required NOT BETWEEN 0.50 AND 999999.99 THEN
      RAISE EXCEPTION 'amount_not_payable' USING DETAIL = jsonb_build_object('total', round(required, 2)::text);
    END IF;
    response := shown_purchase(p_purchase_id, workspace) || jsonb_build_object('checkout_expires_at', (
      SELECT floor(extract(epoch FROM min(held.expires_at)))::bigint
      FROM lead_reservations AS held WHERE held.purchase_id = p_purchase_id
    ));
  END IF;

  IF p_key IS NOT NULL AND p_payment_method = 'credits' THEN
    PERFORM complete_idempotency_key(workspace, endpoint, p_key, response);
  END IF;
  RETURN NEXT;
END
$$;
