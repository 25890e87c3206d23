-- Loops with labels, EXIT and CONTINUE out of several, conditions with queries, cursors, FOREACH, prefetching.

CREATE FUNCTION nasty.labels(p_n integer) RETURNS text LANGUAGE plpgsql AS $$
<<outermost>>
DECLARE
  v_out text := '';
  i integer := 0;
BEGIN
  <<rows>>
  FOR i IN REVERSE p_n..1 BY 2 LOOP
    <<inner>> LOOP
      outermost.i := outermost.i + 1;
      CONTINUE rows WHEN outermost.i % 3 = 0;
      EXIT rows WHEN (SELECT count(*) FROM nasty.item) < outermost.i;
      <<again>>
      BEGIN
        EXIT again WHEN i = 4;
        v_out := v_out || i || ',';
      END again;
      EXIT inner;
    END LOOP inner;
    v_out := v_out || '/' || outermost.i;
  END LOOP rows;
  RETURN v_out;
END outermost
$$;
--= SELECT nasty.labels(9)
--= SELECT nasty.labels(0)

CREATE FUNCTION nasty.while_with_query(p_max integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE v_rounds integer := 0;
BEGIN
  WHILE (SELECT count(*) FROM nasty.item) > p_max LOOP
    v_rounds := v_rounds + 1;
    DELETE FROM nasty.item WHERE id = (SELECT max(id) FROM nasty.item);
    CONTINUE WHEN v_rounds % 2 = 0;
    INSERT INTO nasty.log (what) VALUES ('round ' || v_rounds);
    IF v_rounds > 100 THEN CONTINUE; END IF;
  END LOOP;
  RETURN v_rounds;
END $$;
--= SELECT nasty.while_with_query(20)
--= SELECT what FROM nasty.log

CREATE FUNCTION nasty.rows_and_locks() RETURNS text LANGUAGE plpgsql AS $$
DECLARE r record; t nasty.item; v_sum numeric := 0; a integer; b text;
BEGIN
  FOR r IN SELECT * FROM nasty.item WHERE id > 2 ORDER BY id FOR UPDATE LOOP
    v_sum := v_sum + r.price; IF r.id = 20 THEN EXIT; END IF;
    CONTINUE WHEN r.id < 10; UPDATE nasty.item SET price = 0 WHERE id = r.id;
  END LOOP;
  FOR t IN UPDATE nasty.item SET price = price + 1 WHERE id < 5 RETURNING * LOOP v_sum := v_sum + t.price; END LOOP;
  FOR a, b IN SELECT id, "select" FROM nasty.item ORDER BY 1 LIMIT 2 LOOP b := b || a; END LOOP;
  RETURN v_sum || ' ' || a || b || FOUND;
EXCEPTION WHEN invalid_cursor_name THEN
  RETURN SQLERRM;
END $$;
--= SELECT nasty.rows_and_locks()

CREATE FUNCTION nasty.cursors(p_from integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  c_bound CURSOR (k integer, l integer) FOR SELECT id, price FROM nasty.item WHERE id BETWEEN k AND l ORDER BY id;
  c_scroll SCROLL CURSOR IS SELECT id FROM nasty.item ORDER BY id;
  c_free refcursor := 'named';
  v_id integer; v_price numeric; v_out text := ''; v_count integer;
BEGIN
  OPEN c_bound(p_from, l := p_from + 2);
  LOOP
    FETCH c_bound INTO v_id, v_price;
    EXIT WHEN NOT FOUND; v_out := v_out || v_id || ' ';
  END LOOP;
  CLOSE c_bound;
  FOR r IN c_bound(l := (SELECT max(id) FROM nasty.item), k := 23) LOOP v_out := v_out || r.id || '.'; END LOOP;
  OPEN c_scroll; FETCH LAST FROM c_scroll INTO v_id; MOVE RELATIVE -2 FROM c_scroll;
  FETCH PRIOR FROM c_scroll INTO v_id; GET DIAGNOSTICS v_count = ROW_COUNT; CLOSE c_scroll;
  OPEN c_free FOR EXECUTE 'SELECT id FROM nasty.item WHERE id > $1 ORDER BY id' USING p_from;
  MOVE FORWARD 2 FROM c_free; FETCH c_free INTO v_id; CLOSE c_free;
  OPEN c_free NO SCROLL FOR SELECT price FROM nasty.item WHERE id = p_from FOR UPDATE;
  FETCH NEXT FROM c_free INTO v_price; UPDATE nasty.item SET price = 7 WHERE CURRENT OF c_free; CLOSE c_free;
  RETURN v_out || v_id || v_price || v_count || (SELECT price FROM nasty.item WHERE id = p_from);
END $$;
--= SELECT nasty.cursors(3)
--= SELECT nasty.cursors(99)

CREATE FUNCTION nasty.arrays(p_ids integer[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE x integer; y integer[]; t nasty.item.tags%TYPE; u nasty.item%ROWTYPE; p nasty.pair[]; v_out text := '';
BEGIN
  FOREACH x IN ARRAY p_ids LOOP v_out := v_out || coalesce(x, 0); END LOOP;
  FOREACH y SLICE 1 IN ARRAY ARRAY[p_ids, p_ids] LOOP v_out := v_out || y::text; END LOOP;
  FOREACH x IN ARRAY ARRAY(SELECT id FROM nasty.item WHERE id < 4 ORDER BY id) LOOP v_out := v_out || x; CONTINUE; END LOOP;
  FOR x IN 1..(SELECT count(*) FROM nasty.item WHERE id < 4) LOOP v_out := v_out || '-' || x; END LOOP;
  t[2] := 'b'; t[(SELECT 1)] := (SELECT "select" FROM nasty.item WHERE id = 1);
  SELECT * INTO u FROM nasty.item WHERE id = 2; u.tags[1] := 'changed'; u.price = u.price * 2;
  p[1].a := 3; p[1].b := 'three';
  SELECT id, tags[1] INTO u.id, u."select" FROM nasty.item WHERE id = 3;
  RETURN v_out || t::text || u::text || p::text;
END $$;
--= SELECT nasty.arrays('{1,2,NULL}')
--= SELECT nasty.arrays('{}')
--= SELECT nasty.arrays(NULL)

CREATE FUNCTION nasty.recursion(n integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO nasty.log (what) VALUES ('depth ' || n);
  IF n <= 0 THEN RETURN 0; ELSIF n > 50 THEN RAISE EXCEPTION 'too deep at %', n; END IF;
  RETURN nasty.recursion(n - 1) + 1;
END $$;
--= SELECT nasty.recursion(10)
--= SELECT nasty.recursion(51)
--= SELECT count(*), min(what), max(what) FROM nasty.log
