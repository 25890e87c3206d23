-- Wrong: a reservation that has run out holds its lead until the sweep comes by.
-- Why: the sweep deletes what has expired, so what is there is valid.
-- Breaks: serializable, no-false-conflict
-- Shown: no-false-conflict in reservations.py within 30 schedules; smallest with 1 operation and 0 preemptions

CREATE OR REPLACE FUNCTION why_unsaleable(p_lead_ids uuid[], p_buyer_workspace_id uuid) RETURNS text
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
      ) THEN 'lead_reserved'
    END) AS reason (code)
    WHERE reason.code IS NOT NULL
    ORDER BY wanted.id
    LIMIT 1
  );
END
$$;
