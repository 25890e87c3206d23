DO $empty$
BEGIN
  IF EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'public'::regnamespace)
    OR EXISTS (SELECT FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema'))
  THEN
    RAISE EXCEPTION 'this database is not empty: give this run one of its own, for it drops what is there in the end';
  END IF;
END
$empty$;
