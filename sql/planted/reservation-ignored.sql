-- Wrong: a lead that a customer is paying for at Stripe is sold to whoever comes with credits.
-- Why: a reservation is a courtesy; what counts is who has paid.
-- Breaks: serializable
-- Shown: serializable in stripe_and_credits.py within 10 schedules; smallest with 1 operation and 0 preemptions

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
    END) AS reason (code)
    WHERE reason.code IS NOT NULL
    ORDER BY wanted.id
    LIMIT 1
  );
END
$$;
