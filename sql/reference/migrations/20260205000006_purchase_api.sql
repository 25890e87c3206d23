-- What the purchase API may do: these functions and nothing else, for a token that it has been shown.
--
-- Each takes the hash of the caller's token first: who asks, what is done and the idempotency key are one statement, one
-- transaction, one round trip. A refusal is raised (the message is its code, DETAIL a JSON object), so that nothing is
-- left of the request, the claim of its key included.

-- The workspace that a token acts for. A token that is unknown and one that was revoked are told alike.
CREATE FUNCTION workspace_of_token(p_token_hash bytea, p_scope text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  token api_tokens;
BEGIN
  SELECT * INTO token FROM api_tokens AS t WHERE t.token_hash = p_token_hash AND t.revoked_at IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'unauthorized';
  ELSIF p_scope <> ALL (token.scopes) THEN
    RAISE EXCEPTION 'missing_scope' USING DETAIL = jsonb_build_object('scope', p_scope);
  END IF;
  RETURN token.workspace_id;
END
$$;

-- A purchase as a client is shown it; NULL when it is not this workspace's. Only who has paid sees what is paid for.
CREATE FUNCTION shown_purchase(p_purchase_id uuid, p_workspace_id uuid) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  RETURN (
    SELECT jsonb_build_object(
      'purchase', jsonb_build_object(
        'id', purchase.id,
        'status', purchase.status,
        'payment_method', purchase.payment_method,
        'total', round(purchase.total, 2)::text,
        'lead_ids', jsonb_agg(item.lead_id ORDER BY item.lead_id)
      ),
      'leads', coalesce(
        jsonb_agg(
          jsonb_build_object('id', lead.id, 'price', round(item.price, 2)::text, 'contact', lead.contact)
          ORDER BY lead.id
        ) FILTER (WHERE purchase.status = 'completed'),
        '[]'
      )
    )
    FROM marketplace_purchases AS purchase
    JOIN marketplace_purchase_items AS item ON item.purchase_id = purchase.id
    JOIN leads AS lead ON lead.id = item.lead_id
    WHERE purchase.id = p_purchase_id AND purchase.workspace_id = p_workspace_id
    GROUP BY purchase.id
  );
END
$$;

-- The answer that was given to the first request with this key; NULL when this request is the first, and has the key now.
CREATE FUNCTION first_answer(p_workspace_id uuid, p_endpoint text, p_key text, p_request_hash text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  claim record;
BEGIN
  SELECT * INTO claim FROM claim_idempotency_key(p_workspace_id, p_endpoint, p_key, p_request_hash);
  IF claim.outcome = 'in_progress' THEN
    RAISE EXCEPTION 'key_in_progress';
  ELSIF claim.outcome = 'reused' THEN
    RAISE EXCEPTION 'key_reused';
  END IF;
  RETURN claim.response;
END
$$;

-- Buy with credits, or make the pending purchase that a Stripe checkout is for: whoever calls Stripe does so afterwards,
-- with the id of the purchase as Stripe's own idempotency key, and holds nothing meanwhile.
CREATE FUNCTION api_purchase_leads(
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

  IF p_key IS NOT NULL THEN
    PERFORM complete_idempotency_key(workspace, endpoint, p_key, response);
  END IF;
  RETURN NEXT;
END
$$;

-- What a purchase is now; NULL for one that is not the workspace's.
CREATE FUNCTION api_read_purchase(p_token_hash bytea, p_purchase_id uuid) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  RETURN shown_purchase(p_purchase_id, workspace_of_token(p_token_hash, 'read'));
END
$$;

-- The pending purchase of credits that a Stripe checkout is for. They come with its webhook.
CREATE FUNCTION api_buy_credits(
  p_token_hash bytea, p_credit_purchase_id uuid, p_amount numeric, p_key text, p_request_hash text
)
RETURNS TABLE (replayed boolean, response jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  endpoint CONSTANT text := '/api/credits/purchase';
  workspace uuid := workspace_of_token(p_token_hash, 'purchase');
BEGIN
  -- What Stripe takes in one payment.
  IF (p_amount BETWEEN 0.50 AND 999999.99 AND p_amount = round(p_amount, 2)) IS NOT TRUE THEN
    RAISE EXCEPTION 'amount_not_payable' USING DETAIL = jsonb_build_object('amount', p_amount::text);
  END IF;
  IF p_key IS NOT NULL THEN
    response := first_answer(workspace, endpoint, p_key, p_request_hash);
  END IF;
  replayed := response IS NOT NULL;
  IF NOT replayed THEN
    INSERT INTO credit_purchases (id, workspace_id, amount) VALUES (p_credit_purchase_id, workspace, p_amount);
    response := jsonb_build_object(
      'credit_purchase', jsonb_build_object(
        'id', p_credit_purchase_id, 'status', 'pending', 'amount', round(p_amount, 2)::text
      ),
      'checkout_expires_at', floor(extract(epoch FROM now() + interval '35 minutes'))::bigint
    );
    IF p_key IS NOT NULL THEN
      PERFORM complete_idempotency_key(workspace, endpoint, p_key, response);
    END IF;
  END IF;
  RETURN NEXT;
END
$$;

-- One delivery of a Stripe event about a purchase or a credit_purchase; whoever calls has checked its signature. The
-- claim, the check that what came in is what is owed, and the effect are one transaction.
CREATE FUNCTION api_stripe_event(
  p_event_id text, p_event_type text, p_kind text, p_id uuid, p_amount_cents bigint, p_currency text
)
RETURNS TABLE (already_completed boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  paid CONSTANT boolean := p_event_type IN ('checkout.session.completed', 'checkout.session.async_payment_succeeded');
  owed numeric;
  top_up record;
BEGIN
  -- What is owed never changes, so that this needs no lock.
  IF p_kind = 'purchase' THEN
    owed := (SELECT purchase.total FROM marketplace_purchases AS purchase WHERE purchase.id = p_id);
  ELSIF p_kind = 'credit_purchase' THEN
    owed := (SELECT bought.amount FROM credit_purchases AS bought WHERE bought.id = p_id);
  ELSE
    RAISE EXCEPTION 'unknown_kind';
  END IF;
  IF paid AND owed IS NOT NULL AND (p_amount_cents = owed * 100 AND p_currency = 'usd') IS NOT TRUE THEN
    RAISE EXCEPTION 'amount_mismatch';
  END IF;

  IF p_kind = 'purchase' THEN
    already_completed := (SELECT done.already_completed FROM apply_stripe_event(p_event_id, p_event_type, p_id) AS done);
    RETURN NEXT;
    RETURN;
  END IF;

  INSERT INTO processed_webhook_events (event_id, event_type, purchase_id) VALUES (p_event_id, p_event_type, p_id)
  ON CONFLICT (event_id) DO NOTHING;
  IF NOT FOUND THEN
    already_completed := true;
  ELSIF owed IS NULL THEN
    RAISE EXCEPTION 'top_up_not_found';
  ELSIF paid THEN
    SELECT * INTO top_up FROM complete_credit_top_up(p_id);
    already_completed := top_up.already_completed;
  ELSIF p_event_type = 'charge.refunded' THEN
    -- The credits may be spent: that is for people to decide.
    RAISE EXCEPTION 'top_up_not_refundable';
  ELSIF p_event_type IN ('checkout.session.expired', 'checkout.session.async_payment_failed') THEN
    -- It stays pending. It holds nothing, and a payment that comes late is still served.
    already_completed := (SELECT bought.status = 'completed' FROM credit_purchases AS bought WHERE bought.id = p_id);
  ELSE
    RAISE EXCEPTION 'unknown_event_type';
  END IF;
  RETURN NEXT;
END
$$;

REVOKE ALL ON FUNCTION
  workspace_of_token(bytea, text),
  shown_purchase(uuid, uuid),
  first_answer(uuid, text, text, text),
  api_purchase_leads(bytea, uuid, uuid[], text, text, text),
  api_read_purchase(bytea, uuid),
  api_buy_credits(bytea, uuid, numeric, text, text),
  api_stripe_event(text, text, text, uuid, bigint, text)
FROM PUBLIC, anon, authenticated, service_role, marketplace_api;
GRANT EXECUTE ON FUNCTION
  api_purchase_leads(bytea, uuid, uuid[], text, text, text),
  api_read_purchase(bytea, uuid),
  api_buy_credits(bytea, uuid, numeric, text, text),
  api_stripe_event(text, text, text, uuid, bigint, text)
TO service_role, marketplace_api;
