-- FOUND, ROW_COUNT, stacked diagnostics with their line numbers, SQLSTATE and SQLERRM in handlers, STRICT.

CREATE FUNCTION nasty.found_and_count(p_id integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_found text := '';
  v_count bigint;
  v_price nasty.amount;
BEGIN
  v_found := v_found || FOUND;
  UPDATE nasty.item SET price = price + 1 WHERE id = p_id;
  v_found := v_found || ' ' || FOUND;
  IF NOT FOUND THEN v_found := v_found || ' none'; END IF;
  GET DIAGNOSTICS v_count = ROW_COUNT;
  v_found := v_found || ' ' || v_count;
  SELECT price INTO v_price FROM nasty.item WHERE id = p_id + 1000;
  v_found := v_found || ' ' || FOUND || coalesce(v_price::text, 'null');
  DELETE FROM nasty.item WHERE id > 23; GET DIAGNOSTICS v_count = ROW_COUNT; v_found := v_found || v_count;
  PERFORM 1 FROM nasty.item WHERE id = p_id;
  RETURN v_found || ' ' || FOUND;
END
$$;
--= SELECT nasty.found_and_count(5)
--= SELECT nasty.found_and_count(500)
--= SELECT nasty.found_and_count(NULL)

CREATE FUNCTION nasty.strict_rows(p_limit integer) RETURNS text LANGUAGE plpgsql AS $$
#print_strict_params on
DECLARE v_id integer; v_state nasty.state;
BEGIN
  SELECT id, state INTO STRICT v_id, v_state FROM nasty.item WHERE id <= p_limit;
  UPDATE nasty.item SET state = 'done' WHERE id <= p_limit RETURNING id INTO STRICT v_id;
  RETURN v_id || ' ' || v_state;
END $$;
--= SELECT nasty.strict_rows(0)
--= SELECT nasty.strict_rows(1)
--= SELECT nasty.strict_rows(2)

CREATE FUNCTION nasty.stacked(p_how integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_state text; v_message text; v_detail text; v_hint text;
  v_context text; v_column text; v_constraint text; v_table text;
BEGIN
  BEGIN
    INSERT INTO nasty.log (what) VALUES ('before');
    CASE p_how
      WHEN 1 THEN INSERT INTO nasty.item (id) VALUES (1);
      WHEN 2 THEN
        INSERT INTO nasty.item (id, price) VALUES (100, -1);
      WHEN 3 THEN RAISE EXCEPTION 'own % %', p_how, 'thing' USING HINT = 'a hint', DETAIL = 'a detail', ERRCODE = 'P1234';
      WHEN 4 THEN PERFORM 1 / (p_how - 4);
      WHEN 5 THEN PERFORM nasty.strict_rows(0);
      WHEN 6, 7 THEN ASSERT p_how = 7, 'asserted ' || (SELECT count(*) FROM nasty.item);
    END CASE;
  EXCEPTION
    WHEN unique_violation OR check_violation THEN
      GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_context = PG_EXCEPTION_CONTEXT,
        v_constraint = CONSTRAINT_NAME, v_table = TABLE_NAME;
      RETURN concat_ws('|', 'constraint', v_state, v_message, v_context, v_constraint, v_table);
    WHEN SQLSTATE 'P1234' THEN
      GET STACKED DIAGNOSTICS v_hint := PG_EXCEPTION_HINT, v_detail := PG_EXCEPTION_DETAIL, v_context := PG_EXCEPTION_CONTEXT;
      INSERT INTO nasty.log (what) VALUES (SQLSTATE || SQLERRM); RETURN concat_ws('|', v_hint, v_detail, v_context);
    WHEN assert_failure THEN
      RETURN 'assert ' || SQLERRM;
    WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS v_context = PG_EXCEPTION_CONTEXT;
      PERFORM count(*) FROM nasty.log;
      IF SQLSTATE = '22012' THEN RAISE; END IF;
      RETURN concat_ws('|', 'others', SQLSTATE, SQLERRM, v_context);
  END;
  GET DIAGNOSTICS v_context = PG_CONTEXT;
  RETURN 'fine ' || v_context;
END
$$;
--= SELECT nasty.stacked(1)
--= SELECT nasty.stacked(2)
--= SELECT nasty.stacked(3)
--= SELECT nasty.stacked(4)
--= SELECT nasty.stacked(5)
--= SELECT nasty.stacked(6)
--= SELECT nasty.stacked(7)
--= SELECT nasty.stacked(8)
--= SELECT what FROM nasty.log ORDER BY n

CREATE FUNCTION nasty.rollback_inside() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    UPDATE nasty.item SET price = 0;
    RAISE EXCEPTION USING MESSAGE = 'back';
  EXCEPTION WHEN raise_exception THEN
    NULL;
  END;
  RETURN (SELECT count(*) FROM nasty.item WHERE price = 0);
END $$;
--= SELECT nasty.rollback_inside()

CREATE FUNCTION nasty.falls_off(p_really boolean) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
  IF NOT p_really THEN RETURN 1; END IF;
  UPDATE nasty.item SET price = 2 WHERE id = 1;
END $$;
--= SELECT nasty.falls_off(false)
--= SELECT nasty.falls_off(true)

CREATE FUNCTION nasty.breaks_on_its_last_line() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  UPDATE nasty.item SET price = 3 WHERE id = 1; PERFORM 1;
  SELECT 1; END; $$;
--= SELECT nasty.breaks_on_its_last_line()

CREATE FUNCTION nasty.raises(p_id integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE 'price %', (SELECT price FROM nasty.item WHERE id = p_id);
  RAISE WARNING 'at % %%', p_id; RAISE INFO 'told %', p_id USING HINT = 'none';
  RAISE division_by_zero USING MESSAGE = 'price ' || (SELECT price FROM nasty.item WHERE id = p_id);
END $$;
--= SELECT nasty.raises(4)
