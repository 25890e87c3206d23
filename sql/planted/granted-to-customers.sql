-- Wrong: every customer who is logged in may call a function of the service.
-- Why: the browser would like to know at once whether a lead is still there.
-- Breaks: only-service-role
-- Shown: in the catalog

GRANT EXECUTE ON FUNCTION validate_and_lock_leads_for_purchase(uuid[], uuid) TO authenticated;
