-- Wrong: while another buyer is at a lead it is said to be sold, also when that buyer then fails.
-- Why: who is told to try again tries again, and will find it sold anyway.
-- Breaks: serializable
-- Shown: serializable in rollback.py within 120 schedules; smallest with 2 operations and 1 preemption

CREATE OR REPLACE FUNCTION validate_and_lock_leads_for_purchase(p_lead_ids uuid[], p_buyer_workspace_id uuid)
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
    BEGIN
      PERFORM lock_leads(p_lead_ids, p_wait => false);
    EXCEPTION WHEN lock_not_available THEN
      RAISE EXCEPTION 'lead_unavailable';
    END;
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
