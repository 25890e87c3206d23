-- Source text that is hard to read: comments, quotes, names that are keywords, many statements on a line, no newline.

CREATE FUNCTION nasty.one_line(n integer) RETURNS text LANGUAGE plpgsql AS $$DECLARE v integer;w text;BEGIN IF n>0 THEN UPDATE nasty.item SET price=n WHERE id=n;IF FOUND THEN v:=1;ELSE v:=2;END IF;ELSIF n<0 THEN v:=3;ELSE DELETE FROM nasty.item WHERE id=25;v:=4;END IF;SELECT "select" INTO w FROM nasty.item WHERE id=1;RETURN v||w;END$$;
--= SELECT nasty.one_line(1)
--= SELECT nasty.one_line(1000)
--= SELECT nasty.one_line(-1)
--= SELECT nasty.one_line(0)

CREATE FUNCTION nasty.comments() RETURNS text LANGUAGE plpgsql AS $body$ -- BEGIN; UPDATE nothing;
/* DECLARE /* nested; END; */ BEGIN */
DECLARE/**/v/* ; */text/* := */:=/* ' */'BEGIN; -- no comment'/* END */;--;
  d text := $$ BEGIN UPDATE nasty.item; END; $$; e text := $q$ $$; $q$; u text := U&'d\0061t\+000061'; x bit := B'1';
BEGIN -- BEGIN
  /* before */ UPDATE nasty.item /* SET price = 0 */ SET price = 9 -- WHERE id = 1
  WHERE id = 2 /* ; */; /* between */ PERFORM $$;$$, ';', E'\';', e'\\', ";" FROM (SELECT 1 AS ";") AS ";" /* after; */;
  IF v = 'BEGIN; -- no comment' /* THEN */ THEN -- THEN
    /* ; */
  END IF;
  RETURN/* nothing */v/**/||/**/d||e||u||x -- ;
  ; END -- END
$body$;
--= SELECT nasty.comments()

CREATE FUNCTION nasty.keywords("end" integer, "Begin" text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  perform integer := 1; "if" integer := 2; exit text := 'e'; next integer; type text; open boolean := true;
  comment text; insert integer := 3; "BEGIN" text := 'B'; return integer; exception integer := 4; elsif integer := 5;
  cursor integer := 6; alias record; index text[];
BEGIN
  perform := perform + 1; insert := insert + (SELECT count(*) FROM nasty.item); exit := exit || 'x';
  next = 3; return := 5; comment := 'c'; type := 't'; exception := exception + 1; elsif := elsif + 1;
  index[1] := 'one'; index[2] = 'two'; cursor := cursor + 1;
  SELECT 1 AS first, 2 AS "end" INTO alias; alias.first := alias.first + alias."end";
  "end" := "end" + 1; "Begin" := "Begin" || "BEGIN"; "BEGIN" := $1::text;
  UPDATE nasty.item SET "select" = CASE WHEN id > 1 THEN 'THEN; END' ELSE "select" END WHERE id < "end";
  PERFORM CASE WHEN open THEN CASE WHEN "if" > 1 THEN 1 ELSE 2 END END; RETURN (next) + return || exit || comment || type
    || perform || insert || "end" || "Begin" || "BEGIN" || alias.first || exception || elsif || cursor || index::text;
END $$;
--= SELECT nasty.keywords(3, 'b')
--= SELECT id, "select" FROM nasty.item WHERE id < 4 ORDER BY id

CREATE FUNCTION nasty."größe Ünï😀"("пara" text) RETURNS text LANGUAGE plpgsql AS $$
<<"étiquette">> DECLARE "größe" text := '😀😀'; é integer := 1; BEGIN
  /* 😀 */ UPDATE nasty.item SET "select" = '日本語; END' WHERE id = é; é := é + 1; "größe" := "größe" || '😀;' || "пara";
  <<ß>> FOR ü IN 1..2 LOOP CONTINUE ß WHEN ü = 1; INSERT INTO nasty.log (what) VALUES ('ü' || ü); END LOOP ß;
  RETURN "étiquette"."größe" || (SELECT "select" FROM nasty.item WHERE id = 1);
END $$;
--= SELECT nasty."größe Ünï😀"('ф')

CREATE FUNCTION nasty.dollars() RETURNS text LANGUAGE plpgsql AS $outer$
DECLARE v text;
BEGIN
  EXECUTE $function$ SELECT $q$ $function $q$ || 'x' $function$ INTO v;
  EXECUTE 'CREATE FUNCTION nasty.made() RETURNS integer LANGUAGE plpgsql AS $function$ BEGIN RETURN 1; END $function$';
  CREATE FUNCTION nasty.sql_made(a integer) RETURNS integer BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a > 1 THEN 2 ELSE 3 END; END;
  CREATE RULE noted AS ON INSERT TO nasty.log DO ALSO (SELECT 1; SELECT 2);
  DROP RULE noted ON nasty.log; RETURN v || nasty.made() || nasty.sql_made(2);
END $outer$;
--= SELECT nasty.dollars()

CREATE FUNCTION nasty.windows() RETURNS integer LANGUAGE plpgsql AS E'\r\nDECLARE n integer;\r\nBEGIN\r\n  SELECT count(*) INTO n FROM nasty.item;\r\n\tUPDATE nasty.item SET price = n;  RETURN 1 / (n - 25);\r\nEND;\r\n';
--= SELECT nasty.windows()

CREATE FUNCTION nasty.nothing() RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
--= SELECT nasty.nothing()

CREATE FUNCTION nasty.nulls() RETURNS void LANGUAGE plpgsql AS $$BEGIN NULL; NULL; BEGIN NULL; EXCEPTION WHEN OTHERS THEN NULL; END; IF false THEN NULL; ELSE NULL; END IF; LOOP EXIT; END LOOP; END;$$;
--= SELECT nasty.nulls()

CREATE FUNCTION nasty.sql_words() RETURNS text LANGUAGE plpgsql AS $$
DECLARE v integer;
BEGIN
  WITH moved AS (DELETE FROM nasty.item WHERE id = 25 RETURNING id), kept AS (INSERT INTO nasty.log (what) SELECT 'moved ' || id FROM moved RETURNING n)
  SELECT count(*) INTO v FROM kept;
  MERGE INTO nasty.item AS t USING (VALUES (1), (90)) AS s (id) ON t.id = s.id
    WHEN MATCHED AND t.price > 0 THEN UPDATE SET price = 0 WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id);
  INSERT INTO nasty.item (id) VALUES (91) ON CONFLICT (id) DO UPDATE SET price = 5 RETURNING id + v INTO v;
  CREATE TEMP TABLE scratch ON COMMIT DROP AS SELECT 1 AS a; SELECT a INTO v FROM scratch; TRUNCATE scratch;
  SET LOCAL work_mem = '1MB'; LOCK TABLE nasty.item IN EXCLUSIVE MODE; SET CONSTRAINTS ALL IMMEDIATE;
  DO 'BEGIN INSERT INTO nasty.log (what) VALUES (''done''); END'; VALUES (v + 1) INTO v; RESET work_mem;
  v := count(*) FROM nasty.item; v := v + count(*) FROM nasty.log WHERE what LIKE 'moved%';
  RETURN v;
END $$;
--= SELECT nasty.sql_words()
--= SELECT what FROM nasty.log ORDER BY n

CREATE FUNCTION nasty.shadows() RETURNS text LANGUAGE plpgsql AS $$
DECLARE harness nasty.item; point integer := 1; "harness.point" text := 'x';
BEGIN
  SELECT * INTO harness FROM nasty.item WHERE id = point; harness.price := harness.price + point; "harness.point" := 'y';
  RETURN harness.price || "harness.point";
END $$;
--= SELECT nasty.shadows()
