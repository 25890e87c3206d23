-- Procedures that commit and roll back, alone and in loops over cursors, and call one another.

CREATE PROCEDURE nasty.commits(INOUT n integer) LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO nasty.log (what) VALUES ('kept ' || n); COMMIT;
  INSERT INTO nasty.log (what) VALUES ('lost ' || n); ROLLBACK;
  n := n + (SELECT count(*) FROM nasty.log);
END $$;
--= CALL nasty.commits(1)
--= BEGIN; CALL nasty.commits(2); COMMIT
--= SELECT what FROM nasty.log ORDER BY n

CREATE PROCEDURE nasty.commits_in_loop() LANGUAGE plpgsql AS $$
DECLARE r record; n integer := 0;
BEGIN
  FOR r IN SELECT id FROM nasty.item ORDER BY id LOOP
    UPDATE nasty.item SET price = 100 + n WHERE id = r.id; n := n + 1;
    IF n % 2 = 0 THEN COMMIT; ELSE ROLLBACK; END IF;
    EXIT WHEN n = 6;
  END LOOP;
  CALL nasty.commits(n); COMMIT AND CHAIN; RAISE NOTICE 'n %', n;
END $$;
--= CALL nasty.commits_in_loop()
--= SELECT id, price FROM nasty.item WHERE price >= 100 ORDER BY id

CREATE PROCEDURE nasty.levels(OUT level text) LANGUAGE plpgsql AS $$
BEGIN
  COMMIT; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
  LOCK TABLE nasty.item IN SHARE MODE; SET TRANSACTION READ WRITE; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
  level := current_setting('transaction_isolation'); UPDATE nasty.item SET price = 1 WHERE id = 1; COMMIT;
END $$;
--= CALL nasty.levels(NULL)

CREATE PROCEDURE nasty.cannot_commit() LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    INSERT INTO nasty.log (what) VALUES ('inside'); COMMIT;
  EXCEPTION WHEN invalid_transaction_termination THEN RAISE NOTICE '% %', SQLSTATE, SQLERRM;
  END;
END $$;
--= CALL nasty.cannot_commit()

CREATE PROCEDURE nasty.outer_commit() LANGUAGE plpgsql AS $$ BEGIN CALL nasty.cannot_commit(); PERFORM nasty.inner_function(); COMMIT; END $$;
CREATE FUNCTION nasty.inner_function() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL nasty.commits_in_loop(); END $$;
--= CALL nasty.outer_commit()
