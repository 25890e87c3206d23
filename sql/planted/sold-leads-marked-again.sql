-- Wrong: bulk marking takes sold leads for its own and counts them.
-- Why: to set what is to be true does no harm when it is true already.
-- Breaks: serializable
-- Shown: serializable in bulk_marking.py within 10 schedules; smallest with 2 operations and 0 preemptions

CREATE OR REPLACE FUNCTION mark_leads_sold_bulk(p_lead_ids uuid[])
RETURNS TABLE (leads_marked integer, lead_ids_marked uuid[], lead_ids_skipped uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM lock_leads(p_lead_ids, p_wait => true);
  WITH marked AS (
    UPDATE leads AS lead SET marketplace_status = 'sold', sold_count = 1, sold_at = now()
    WHERE lead.id = ANY (p_lead_ids)
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
