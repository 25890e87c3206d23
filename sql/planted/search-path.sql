-- Wrong: pg_temp is not named at the end of the search_path, so it comes first: a caller's temporary table hides the
--   real one.
-- Why: public is where everything is; nobody keeps tables in pg_temp.
-- Breaks: only-service-role
-- Shown: in the catalog

ALTER FUNCTION refund_lead_purchase(uuid) SET search_path = public;
