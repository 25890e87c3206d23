-- OUT, INOUT, VARIADIC, defaults, polymorphism, records, sets, rows, trigger functions, definer's rights.

CREATE FUNCTION nasty.outs(INOUT a integer, OUT b text, OUT c nasty.item, d integer DEFAULT (2 + 1)) LANGUAGE plpgsql AS $$
BEGIN
  a := a + d; SELECT * INTO c FROM nasty.item WHERE id = a; b := c."select"; c.price := 0;
  IF a > 10 THEN RETURN; END IF;
  UPDATE nasty.item SET price = a WHERE id = a;
END $$;
--= SELECT * FROM nasty.outs(1)
--= SELECT * FROM nasty.outs(1, 20)

CREATE FUNCTION nasty.variadic_sum(VARIADIC p numeric[]) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE x ALIAS FOR p; y numeric := 0; z ALIAS FOR $1;
BEGIN FOR i IN 1..array_length(x, 1) LOOP y := y + x[i] + z[i]; END LOOP; RETURN y; END $$;
--= SELECT nasty.variadic_sum(1, 2.5, 3)

CREATE FUNCTION nasty.poly(a anyelement, b anyarray, OUT c anyelement, OUT d anyarray) LANGUAGE plpgsql AS $$
DECLARE e a%TYPE; BEGIN e := b[1]; c := e; d := array_append(b, a); PERFORM 1 FROM nasty.item; END $$;
--= SELECT nasty.poly(1, '{5,6}'::integer[])
--= SELECT nasty.poly('x'::text, ARRAY['y'])

CREATE FUNCTION nasty.compatible(anycompatible, anycompatible) RETURNS anycompatible LANGUAGE plpgsql AS $$
BEGIN UPDATE nasty.item SET price = 1; RETURN $1 + $2; END $$;
--= SELECT nasty.compatible(1, 2.5)

CREATE FUNCTION nasty.unnamed(integer, OUT integer) LANGUAGE plpgsql AS $$ BEGIN $2 := $1 + 1; END $$;
--= SELECT nasty.unnamed(1)

CREATE FUNCTION nasty.set_of_rows(n integer) RETURNS SETOF nasty.item LANGUAGE plpgsql AS $$
DECLARE r nasty.item;
BEGIN
  FOR r IN SELECT * FROM nasty.item WHERE id < n ORDER BY id LOOP r.price := 0; RETURN NEXT r; END LOOP;
  RETURN QUERY SELECT * FROM nasty.item WHERE id = n; IF NOT FOUND THEN RETURN; END IF;
  RETURN QUERY EXECUTE 'SELECT * FROM nasty.item WHERE id = $1' USING n + 1;
  RETURN QUERY DELETE FROM nasty.item WHERE id = n + 2 RETURNING *;
END $$;
--= SELECT * FROM nasty.set_of_rows(3)
--= SELECT * FROM nasty.set_of_rows(30)

CREATE FUNCTION nasty.table_of(n integer) RETURNS TABLE (id integer, "price" numeric, label text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  FOR id, price IN SELECT i.id, i.price FROM nasty.item AS i ORDER BY id LIMIT n LOOP
    label := (SELECT "select" FROM nasty.item AS i WHERE i.id = table_of.id); RETURN NEXT;
  END LOOP;
  RETURN QUERY UPDATE nasty.item SET price = 0 WHERE id = n RETURNING id, price::numeric, 'updated';
END $$;
--= SELECT * FROM nasty.table_of(2)

CREATE FUNCTION nasty.set_of_numbers(n integer) RETURNS SETOF integer LANGUAGE plpgsql AS $$
BEGIN FOR i IN 1..n LOOP RETURN NEXT i; RETURN NEXT (SELECT count(*) FROM nasty.item WHERE id < i); END LOOP; END $$;
--= SELECT nasty.set_of_numbers(3)

CREATE FUNCTION nasty.a_record(p nasty.pair) RETURNS record LANGUAGE plpgsql AS $$
DECLARE r record; BEGIN p.a := p.a + 1; SELECT p.a, p.b INTO r; UPDATE nasty.item SET price = p.a WHERE id = p.a; RETURN r; END $$;
--= SELECT * FROM nasty.a_record((1, 'x')) AS t (a integer, b text)

CREATE FUNCTION nasty.a_row(n integer) RETURNS nasty.pair LANGUAGE plpgsql AS $$
BEGIN IF n = 1 THEN RETURN (n, 'one'::text); ELSIF n = 2 THEN RETURN NULL; END IF; RETURN ROW(n, (SELECT "select" FROM nasty.item WHERE id = n)); END $$;
--= SELECT nasty.a_row(1), nasty.a_row(2), nasty.a_row(3)

CREATE FUNCTION nasty.defaults(p integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v_count bigint := (SELECT count(*) FROM nasty.item); v_double numeric NOT NULL = v_count * 2;
BEGIN
  <<nested>> DECLARE v_count integer DEFAULT (SELECT max(id) FROM nasty.item WHERE id < p); BEGIN
    v_double := NULL; RETURN v_count;
  EXCEPTION WHEN null_value_not_allowed THEN RETURN 'null ' || v_count || SQLERRM; END nested;
END $$;
--= SELECT nasty.defaults(5)

CREATE FUNCTION nasty.pinned() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET work_mem = '2MB' AS $$
BEGIN UPDATE nasty.item SET price = 4 WHERE id = 4; RETURN current_setting('search_path') || current_setting('work_mem'); END $$;
--= SELECT nasty.pinned()

CREATE FUNCTION nasty.overloaded(a integer) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 'integer'; END $$;
CREATE FUNCTION nasty.overloaded(a text, b integer DEFAULT 1) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 'text'; END $$;
--= SELECT nasty.overloaded(1), nasty.overloaded('x'), nasty.overloaded('x', 2)

CREATE FUNCTION nasty.before_item() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE v_old text := 'none';
BEGIN
  IF TG_OP <> 'INSERT' THEN v_old := OLD.price::text; END IF;
  IF TG_OP = 'DELETE' THEN INSERT INTO nasty.log (what) VALUES ('gone ' || OLD.id); RETURN OLD; END IF;
  NEW.price := NEW.price + TG_ARGV[0]::numeric; IF NEW.id = 24 THEN RETURN NULL; END IF;
  INSERT INTO nasty.log (what) SELECT v_old || '>' || NEW.price; RETURN NEW;
END $$;
CREATE TRIGGER before_item BEFORE INSERT OR UPDATE OR DELETE ON nasty.item FOR EACH ROW EXECUTE FUNCTION nasty.before_item('0.5');
CREATE FUNCTION nasty.after_item() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO nasty.log (what) SELECT TG_NAME || count(*) FROM changed; RETURN NULL; END $$;
CREATE TRIGGER after_item AFTER UPDATE ON nasty.item REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION nasty.after_item();
CREATE FUNCTION nasty.late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.price > 1000 THEN RAISE EXCEPTION 'too dear: %', NEW.price; END IF; PERFORM 1; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON nasty.item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION nasty.late();
--= UPDATE nasty.item SET price = price * 2 WHERE id > 20 RETURNING id, price
--= DELETE FROM nasty.item WHERE id = 20
--= UPDATE nasty.item SET price = 2000 WHERE id = 1
--= SELECT what FROM nasty.log ORDER BY n
--= SELECT id, price FROM nasty.item ORDER BY id
