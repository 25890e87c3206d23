-- The steps of a purchase as the API routes took them before there were atomic functions: each is called by itself, so
-- each is a transaction of its own, and nothing undoes the steps before one that fails.

-- Relative to the balance of this moment: whoever checked it before may have checked another.
CREATE FUNCTION deduct_credits(p_workspace_id uuid, p_amount numeric)
RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
  v_balance integer;
BEGIN
  UPDATE workspace_credits
  SET balance = balance - p_amount
  WHERE workspace_id = p_workspace_id
  RETURNING balance INTO v_balance;

  RETURN v_balance;
END;
$$;

-- The routes marked one lead at a time, in a loop of their own. The COMMIT makes each a transaction of its own, as it
-- was there, so a loop that breaks off has marked some leads and not the others.
CREATE PROCEDURE mark_leads_sold(p_lead_ids uuid[])
LANGUAGE plpgsql
AS $$
DECLARE
  v_lead_id uuid;
BEGIN
  FOREACH v_lead_id IN ARRAY p_lead_ids LOOP
    UPDATE leads
    SET
      sold_count = sold_count + 1,
      sold_at = NOW(),
      marketplace_status = 'sold'
    WHERE id = v_lead_id;

    COMMIT;
  END LOOP;
END;
$$;
