-- Wrong: whatever function comes next may be executed by everybody until somebody thinks of it.
-- Why: a report that another team had written failed with permission denied.
-- Breaks: only-service-role
-- Shown: in the catalog

ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
