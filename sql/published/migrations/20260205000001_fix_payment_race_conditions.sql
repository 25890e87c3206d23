-- The four atomic payment functions, as the document prints and describes them.
--
-- The prints leave out aliases, most WHERE clauses and RETURNs; those are supplied, and each function stands on the lines
-- that the document gives. The order of checks and locks is that of the prints, and what they do not check is not checked
-- here. Each function is called in a transaction of its own, so its locks end with its call. "Mark leads sold" is spelled
-- out as in the fourth function.

-- Schema updates

ALTER TABLE marketplace_purchases ADD COLUMN download_url text;

-- 1. validate_and_lock_leads_for_purchase: locks the leads while it validates, and fails fast when another transaction
-- has one locked. What the buyer has in a purchase already, pending or completed, it may not buy again.

CREATE FUNCTION validate_and_lock_leads_for_purchase(
  p_lead_ids uuid[],
  p_buyer_workspace_id uuid
)
RETURNS SETOF leads
LANGUAGE plpgsql
AS $$
DECLARE
  v_locked integer; -- how many of the leads could be locked
BEGIN
  -- Lock the leads that are on sale and that this buyer does not have yet. The locks are held until the transaction
  -- ends; a lead that another transaction has locked is not waited for.
  RETURN QUERY
  SELECT
    l.*
  FROM
    leads l
  WHERE
    l.id = ANY (p_lead_ids)
    AND l.marketplace_status = 'available'
    AND l.sold_at IS NULL
    -- Duplicate purchase prevention: a purchase of this buyer that has the lead, and that is
    -- being paid or was paid. A purchase that failed, was cancelled or refunded does not count.
    AND NOT EXISTS (
      SELECT
        1
      FROM
        marketplace_purchase_items i
        JOIN marketplace_purchases p ON p.id = i.purchase_id
      WHERE
        i.lead_id = l.id
        AND p.workspace_id = p_buyer_workspace_id
        AND p.status IN ('pending', 'completed')
    )
  FOR UPDATE OF l NOWAIT; -- Lock rows, fail fast if already locked

  GET DIAGNOSTICS v_locked = ROW_COUNT;

  -- All of the leads or none. One that was not locked is
  -- unknown, unlisted or sold, or this buyer has it in a
  -- purchase already.
  IF v_locked < array_length(p_lead_ids, 1) THEN
    RAISE EXCEPTION 'One or more leads are no longer available';
  END IF;

  RETURN;

EXCEPTION
  -- Somebody else has a lead locked,
  -- so somebody else is buying it.
  WHEN lock_not_available THEN
    RAISE EXCEPTION 'One or more leads are no longer available';
END;
$$;

-- 2. complete_credit_lead_purchase: deducts the credits, marks the leads sold and completes the purchase, all in one
-- transaction.
--
-- The locks in order: credits, leads in the order of the purchase's items, purchase. The print's UPDATE of the leads has
-- no WHERE; joined to the items it takes the leads in the same order, only without a statement for each.
-- A refusal is an answer (success = false) and changes nothing; any error rolls all steps back.
--
-- The caller says what the purchase costs.

CREATE FUNCTION complete_credit_lead_purchase(
  p_purchase_id uuid,
  p_workspace_id uuid,
  p_credit_amount numeric
)
RETURNS TABLE (
  success boolean,
  new_credit_balance integer,
  error_message text
)
LANGUAGE plpgsql
AS $$
DECLARE
  v_balance integer;
  v_lead_id uuid;
BEGIN
  -- 1. Lock and check credits
  SELECT balance
  INTO v_balance
  FROM workspace_credits
  WHERE workspace_id = p_workspace_id
  FOR UPDATE; -- Lock the row

  IF v_balance IS NULL THEN
    RETURN QUERY SELECT false, NULL::integer, 'Workspace has no credits'::text;
    RETURN;
  END IF;

  IF v_balance < p_credit_amount THEN
    -- Nothing was changed.
    RETURN QUERY SELECT false, v_balance, 'Insufficient credits'::text;
    RETURN;
  END IF;

  -- 2. Deduct credits
  UPDATE workspace_credits
  SET
    balance = balance - p_credit_amount
  WHERE workspace_id = p_workspace_id
  RETURNING balance INTO v_balance;

  -- 3. Mark leads sold
  FOR v_lead_id IN
    SELECT i.lead_id
    FROM marketplace_purchase_items i
    WHERE i.purchase_id = p_purchase_id
    ORDER BY i.id
  LOOP
    UPDATE leads
    SET
      sold_count = sold_count + 1,
      sold_at = NOW(),
      marketplace_status = 'sold'
    WHERE id = v_lead_id;
  END LOOP;

  -- 4. Complete purchase
  UPDATE marketplace_purchases
  SET
    status = 'completed',
    completed_at = NOW()
  WHERE id = p_purchase_id;

  RETURN QUERY SELECT true, v_balance, NULL::text; -- Success
END;
$$;

-- 3. complete_stripe_lead_purchase: completes a purchase that Stripe says is paid; called by the webhook, which Stripe
-- may deliver more than once.
--
-- The locks in order: purchase, leads in the order of its items.
--
-- A purchase that is completed already is left alone, and the answer says so: already_completed.
--
-- The download link of the leads is kept with the purchase.

CREATE FUNCTION complete_stripe_lead_purchase(
  p_purchase_id uuid,
  p_download_url text DEFAULT NULL
)
RETURNS TABLE (
  success boolean,
  already_completed boolean,
  lead_ids_marked uuid[]
)
LANGUAGE plpgsql
AS $$
DECLARE
  v_status text;
  v_lead_id uuid;
  v_lead_ids uuid[] := ARRAY[]::uuid[];
BEGIN
  -- 1. Lock purchase record
  SELECT status
  INTO v_status
  FROM marketplace_purchases
  WHERE id = p_purchase_id
  FOR UPDATE;

  -- 2. Check if already completed (idempotency)
  IF v_status = 'completed' THEN
    RETURN QUERY SELECT
      false,
      true,
      ARRAY[]::uuid[]; -- Already done
    RETURN;
  END IF;

  -- 3. Mark leads sold atomically
  FOR v_lead_id IN
    SELECT i.lead_id
    FROM marketplace_purchase_items i
    WHERE i.purchase_id = p_purchase_id
    ORDER BY i.id
  LOOP
    UPDATE leads
    SET
      sold_count = sold_count + 1,
      sold_at = NOW(),
      marketplace_status = 'sold'
    WHERE id = v_lead_id;
    v_lead_ids := v_lead_ids || v_lead_id;
  END LOOP;

  -- 4. Complete purchase
  UPDATE marketplace_purchases
  SET
    status = 'completed',
    completed_at = NOW(),
    download_url = p_download_url
  WHERE id = p_purchase_id;

  RETURN QUERY SELECT
    true,
    false,
    v_lead_ids;
END;
$$;

-- 4. mark_leads_sold_bulk: marks several leads as sold in a single statement, so that none is left out when another
-- fails.
--
-- It locks the leads as it meets them.
--
-- An id that is no lead's is passed over; a lead that is sold already counts once more.
--
-- The answer is how many leads were marked.

CREATE FUNCTION mark_leads_sold_bulk(
  p_lead_ids uuid[]
)
RETURNS TABLE (leads_marked integer)
LANGUAGE plpgsql
AS $$
DECLARE
  v_count integer;
BEGIN
  -- Mark leads sold
  UPDATE leads
  SET
    sold_count = sold_count + 1,
    sold_at = NOW(),
    marketplace_status = 'sold'
  WHERE id = ANY (p_lead_ids);

  GET DIAGNOSTICS v_count = ROW_COUNT;

  RETURN QUERY SELECT v_count;
END;
$$;

-- Security grants (service_role only)

REVOKE ALL ON FUNCTION validate_and_lock_leads_for_purchase(uuid[], uuid) FROM PUBLIC, anon, authenticated;
REVOKE ALL ON FUNCTION complete_credit_lead_purchase(uuid, uuid, numeric) FROM PUBLIC, anon, authenticated;
REVOKE ALL ON FUNCTION complete_stripe_lead_purchase(uuid, text) FROM PUBLIC, anon, authenticated;
REVOKE ALL ON FUNCTION mark_leads_sold_bulk(uuid[]) FROM PUBLIC, anon, authenticated;

GRANT EXECUTE ON FUNCTION validate_and_lock_leads_for_purchase(uuid[], uuid) TO service_role;
GRANT EXECUTE ON FUNCTION complete_credit_lead_purchase(uuid, uuid, numeric) TO service_role;
GRANT EXECUTE ON FUNCTION complete_stripe_lead_purchase(uuid, text) TO service_role;
GRANT EXECUTE ON FUNCTION mark_leads_sold_bulk(uuid[]) TO service_role;
