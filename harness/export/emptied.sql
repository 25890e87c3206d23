DO $emptied$
DECLARE
  statement text;
BEGIN
  SET LOCAL client_min_messages = error;
  -- All of them first: what has gone has no name any more.
  FOREACH statement IN ARRAY coalesce((SELECT array_agg(each) FROM (
    SELECT format('DROP EXTENSION IF EXISTS %I CASCADE', extname) FROM pg_extension WHERE extname <> 'plpgsql'
    UNION ALL
    SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname)
      FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema')
    UNION ALL
    SELECT format('DROP %s IF EXISTS %s CASCADE',
        CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
          WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, oid::regclass)
      FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION ALL
    SELECT format('DROP SEQUENCE IF EXISTS %s CASCADE', oid::regclass)
      FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
    UNION ALL
    SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure)
      FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT format('DROP TYPE IF EXISTS %s CASCADE', oid::regtype)
      FROM pg_type
      WHERE typnamespace = 'public'::regnamespace AND typtype IN ('c', 'd', 'e', 'r')
        AND (typrelid = 0 OR (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c')
  ) AS made (each)), ARRAY[]::text[])
  LOOP
    BEGIN
      EXECUTE statement;
    EXCEPTION WHEN undefined_object OR undefined_table OR undefined_function THEN
      NULL; -- it went with another one
    END;
  END LOOP;
END
$emptied$;
