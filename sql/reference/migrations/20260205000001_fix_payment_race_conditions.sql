-- Leads are sold once, and purchases are charged once, whoever comes at the same time.
--
-- Everybody locks in one order: the purchase, its leads, the credits; so nobody ever waits in a circle, and nobody who
-- holds a balance waits for a lead. What was read before a lock was had is read again after it, in a statement of its
-- own: under READ COMMITTED only a new statement sees what the last holder left.

-- Buyers exclude one another by an advisory lock for each lead. A row lock would also turn away those who come while a
-- seller changes a price, who is no buyer; for the row one waits. p_wait = false is for those who have something better
-- to do than wait: they are told at once that another buyer is there (55P03), which is not that the lead is gone.
CREATE FUNCTION lock_leads(p_lead_ids uuid[], p_wait boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  lead_key bigint;
BEGIN
  -- In the order of the keys, not of the ids: should two leads ever share a key, there is still no circle.
  FOR lead_key IN SELECT hashtextextended(lead_id::text, 20260205) FROM unnest(p_lead_ids) AS lead_id ORDER BY 1 LOOP
    IF p_wait THEN
      PERFORM pg_advisory_xact_lock(lead_key);
    ELSIF NOT pg_try_advisory_xact_lock(lead_key) THEN
      RAISE EXCEPTION 'lead_busy' USING ERRCODE = 'lock_not_available', HINT = 'Another buyer is at it. Try again.';
    END IF;
  END LOOP;
  -- Against price changes and the like. Items that refer to a lead do not conflict with NO KEY UPDATE.
  PERFORM FROM leads WHERE id = ANY (p_lead_ids) ORDER BY id FOR NO KEY UPDATE;
END
$$;

-- Why these leads cannot be sold to this workspace now, NULL when they can. Of several reasons that of the first lead.
-- A reservation can end at any time without the lead's lock, but a new one cannot be made: it only gets better.
CREATE FUNCTION why_unsaleable(p_lead_ids uuid[], p_buyer_workspace_id uuid) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  RETURN (
    SELECT reason.code
    FROM unnest(p_lead_ids) AS wanted (id)
    LEFT JOIN leads AS lead ON lead.id = wanted.id
    CROSS JOIN LATERAL (SELECT CASE
      WHEN lead.id IS NULL OR lead.marketplace_status <> 'available' THEN 'lead_unavailable'
      WHEN lead.workspace_id = p_buyer_workspace_id THEN 'own_lead'
      WHEN lead.price IS NULL THEN 'lead_unpriced'
      WHEN EXISTS (
        SELECT FROM lead_reservations AS held
        WHERE held.lead_id = lead.id
          AND held.workspace_id <> p_buyer_workspace_id
          AND held.expires_at > clock_timestamp()
      ) THEN 'lead_reserved'
    END) AS reason (code)
    WHERE reason.code IS NOT NULL
    ORDER BY wanted.id
    LIMIT 1
  );
END
$$;

-- May this workspace buy these leads? All or nothing. They stay locked until the transaction ends.
CREATE FUNCTION validate_and_lock_leads_for_purchase(p_lead_ids uuid[], p_buyer_workspace_id uuid)
RETURNS TABLE (id uuid, price numeric, seller_workspace_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  refusal text := CASE
    WHEN p_buyer_workspace_id IS NULL THEN 'workspace_not_found'
    WHEN coalesce(cardinality(p_lead_ids), 0) = 0 THEN 'no_leads'
    WHEN cardinality(p_lead_ids) > (SELECT count(*) FROM (SELECT DISTINCT unnest(p_lead_ids)) AS wanted)
      THEN 'duplicate_leads'
  END;
BEGIN
  IF refusal IS NULL THEN
    PERFORM lock_leads(p_lead_ids, p_wait => false);
    refusal := why_unsaleable(p_lead_ids, p_buyer_workspace_id);
  END IF;
  IF refusal IS NOT NULL THEN
    RAISE EXCEPTION '%', refusal;
  END IF;
  RETURN QUERY
    SELECT lead.id, lead.price::numeric, lead.workspace_id FROM leads AS lead
    WHERE lead.id = ANY (p_lead_ids) ORDER BY lead.id;
END
$$;

-- Charge, mark and complete, or none of the three. A repeat gets the first answer and costs nothing.
CREATE FUNCTION complete_credit_lead_purchase(p_purchase_id uuid, p_workspace_id uuid, p_credit_amount numeric)
RETURNS TABLE (success boolean, new_credit_balance numeric, error_message text, already_completed boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  purchase marketplace_purchases;
  lead_ids uuid[];
  items_total numeric;
  refusal text;
BEGIN
  SELECT * INTO purchase FROM marketplace_purchases AS p
  WHERE p.id = p_purchase_id AND p.workspace_id = p_workspace_id FOR NO KEY UPDATE;
  SELECT array_agg(item.lead_id ORDER BY item.lead_id), sum(item.price) INTO lead_ids, items_total
  FROM marketplace_purchase_items AS item WHERE item.purchase_id = p_purchase_id;

  refusal := CASE
    WHEN purchase.id IS NULL THEN 'purchase_not_found'
    WHEN purchase.payment_method <> 'credits' THEN 'wrong_payment_method'
    WHEN lead_ids IS NULL OR p_credit_amount IS DISTINCT FROM items_total OR items_total <> purchase.total
      THEN 'amount_mismatch'
    WHEN purchase.status NOT IN ('pending', 'completed') THEN 'purchase_not_pending'
  END;
  IF refusal IS NULL AND purchase.status = 'completed' THEN
    RETURN QUERY SELECT true, purchase.credit_balance_after::numeric, NULL, true;
    RETURN;
  END IF;
  IF refusal IS NULL THEN
    PERFORM lock_leads(lead_ids, p_wait => true);
    refusal := why_unsaleable(lead_ids, p_workspace_id);
  END IF;
  IF refusal IS NULL THEN
    UPDATE workspace_credits AS credits SET balance = credits.balance - items_total
    WHERE credits.workspace_id = p_workspace_id AND credits.balance >= items_total
    RETURNING credits.balance INTO new_credit_balance;
    IF NOT FOUND THEN
      refusal := 'insufficient_credits';
    END IF;
  END IF;
  IF refusal IS NOT NULL THEN
    RETURN QUERY SELECT false, NULL::numeric, refusal, false;
    RETURN;
  END IF;

  INSERT INTO credit_ledger (workspace_id, kind, amount, purchase_id)
  VALUES (p_workspace_id, 'purchase', -items_total, p_purchase_id);
  UPDATE leads AS lead SET marketplace_status = 'sold', sold_count = lead.sold_count + 1, sold_at = now()
  WHERE lead.id = ANY (lead_ids);
  UPDATE marketplace_purchases AS p
  SET status = 'completed', credit_balance_after = new_credit_balance, completed_at = clock_timestamp()
  WHERE p.id = p_purchase_id;
  RETURN QUERY SELECT true, new_credit_balance, NULL, false;
END
$$;

-- The money is captured already: deliver the leads, or owe a refund. What is final never revives.
-- success says that this call delivered; a repeat answers (false, true, {}), a debt (false, false, {}).
CREATE FUNCTION complete_stripe_lead_purchase(p_purchase_id uuid, p_download_url text DEFAULT NULL)
RETURNS TABLE (success boolean, already_completed boolean, lead_ids_marked uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  purchase marketplace_purchases;
  lead_ids uuid[];
  deliverable boolean := false;
BEGIN
  SELECT * INTO purchase FROM marketplace_purchases AS p WHERE p.id = p_purchase_id FOR NO KEY UPDATE;
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

-- Marks what is available, each lead once, and says which. lead_ids_skipped are the unknown, the sold and the repeated.
CREATE FUNCTION mark_leads_sold_bulk(p_lead_ids uuid[])
RETURNS TABLE (leads_marked integer, lead_ids_marked uuid[], lead_ids_skipped uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM lock_leads(p_lead_ids, p_wait => true);
  WITH marked AS (
    UPDATE leads AS lead SET marketplace_status = 'sold', sold_count = lead.sold_count + 1, sold_at = now()
    WHERE lead.id = ANY (p_lead_ids) AND lead.marketplace_status = 'available'
    RETURNING lead.id
  )
  SELECT coalesce(array_agg(marked.id ORDER BY marked.id), '{}') INTO lead_ids_marked FROM marked;
  RETURN QUERY
    SELECT cardinality(lead_ids_marked), lead_ids_marked, ARRAY(
      SELECT asked.id
      FROM (SELECT wanted.id, row_number() OVER (PARTITION BY wanted.id) AS copy FROM unnest(p_lead_ids) AS wanted (id))
        AS asked
      WHERE asked.copy > 1 OR asked.id IS NULL OR asked.id <> ALL (lead_ids_marked)
      ORDER BY asked.id
    );
END
$$;

REVOKE ALL ON FUNCTION
  lock_leads(uuid[], boolean),
  why_unsaleable(uuid[], uuid),
  validate_and_lock_leads_for_purchase(uuid[], uuid),
  complete_credit_lead_purchase(uuid, uuid, numeric),
  complete_stripe_lead_purchase(uuid, text),
  mark_leads_sold_bulk(uuid[])
FROM PUBLIC, anon, authenticated, service_role;
GRANT EXECUTE ON FUNCTION
  validate_and_lock_leads_for_purchase(uuid[], uuid),
  complete_credit_lead_purchase(uuid, uuid, numeric),
  complete_stripe_lead_purchase(uuid, text),
  mark_leads_sold_bulk(uuid[])
TO service_role;
