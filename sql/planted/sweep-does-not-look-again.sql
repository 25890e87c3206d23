-- Wrong: the sweep cancels what had expired when it began, also what has been paid for since.
-- Why: the query says which purchases are to be cancelled; to ask again for each of them is slow.
-- Breaks: all-or-nothing, paid-is-served, serializable
-- Shown: paid-is-served in reservations.py within 40 schedules; smallest with 2 operations and 1 preemption

CREATE OR REPLACE FUNCTION sweep_expired_reservations() RETURNS TABLE (purchases_cancelled integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  expired_id uuid;
BEGIN
  purchases_cancelled := 0;
  FOR expired_id IN
    SELECT p.id FROM marketplace_purchases AS p
    WHERE p.status = 'pending' AND EXISTS (
      SELECT FROM lead_reservations AS held WHERE held.purchase_id = p.id AND held.expires_at <= clock_timestamp()
    )
    ORDER BY p.id
  LOOP
    UPDATE marketplace_purchases AS p SET status = 'cancelled' WHERE p.id = expired_id;
    DELETE FROM lead_reservations AS held WHERE held.purchase_id = expired_id;
    purchases_cancelled := purchases_cancelled + 1;
  END LOOP;
  RETURN NEXT;
END
$$;
