-- Wrong: an empty list of leads is one that can be bought.
-- Why: array_length is what one finds when one looks for the length of an array; that of an empty one is NULL.
-- Breaks: serializable
-- Shown: serializable in contract.py within 20 schedules; smallest with 1 operation and 0 preemptions

CREATE OR REPLACE FUNCTION validate_and_lock_leads_for_purchase(p_lead_ids uuid[], p_buyer_workspace_id uuid)
RETURNS TABLE (id uuid, price numeric, seller_workspace_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  refusal text := CASE
    WHEN p_buyer_workspace_id IS NULL THEN 'workspace_not_found'
    WHEN array_length(p_lead_ids, 1) = 0 THEN 'no_leads'
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
