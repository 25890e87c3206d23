-- A correct market stall: one function, which locks what it sells before it looks at it.
CREATE TABLE customer (id bigint PRIMARY KEY, credits numeric NOT NULL);
CREATE TABLE contact (
  id bigint PRIMARY KEY,
  seller bigint NOT NULL REFERENCES customer,
  price numeric NOT NULL,
  times_sold integer NOT NULL DEFAULT 0
);
CREATE TABLE sale (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customer, state text NOT NULL);
CREATE TABLE sale_contact (sale bigint REFERENCES sale, contact bigint REFERENCES contact, price numeric NOT NULL);

CREATE FUNCTION buy(p_sale bigint, p_customer bigint, p_contact bigint, OUT balance numeric)
LANGUAGE plpgsql AS $$
DECLARE
  wanted contact;
BEGIN
  SELECT * INTO wanted FROM contact WHERE id = p_contact FOR UPDATE;
  IF wanted.times_sold > 0 THEN
    RAISE EXCEPTION 'somebody was faster';
  END IF;
  UPDATE customer SET credits = credits - wanted.price WHERE id = p_customer AND credits >= wanted.price
  RETURNING credits INTO balance;
  IF balance IS NULL THEN
    RAISE EXCEPTION 'not enough credits';
  END IF;
  UPDATE contact SET times_sold = times_sold + 1 WHERE id = p_contact;
  INSERT INTO sale VALUES (p_sale, p_customer, 'paid');
  INSERT INTO sale_contact VALUES (p_sale, p_contact, wanted.price);
END
$$;
