-- A marketplace that somebody else wrote: other names, other keys, whole cents, states as letters and numbers.
CREATE SCHEMA shop;

CREATE TABLE shop.account (
  id bigint PRIMARY KEY,
  handle text NOT NULL UNIQUE,
  country char(2) NOT NULL,
  opened_on date NOT NULL
);

CREATE TABLE shop.wallet (
  account_id bigint PRIMARY KEY REFERENCES shop.account,
  cents bigint NOT NULL CHECK (cents >= 0)
);

-- F is free, H hidden, S sold.
CREATE TABLE shop.contact (
  id bigint PRIMARY KEY,
  owner_id bigint NOT NULL REFERENCES shop.account,
  phone text NOT NULL,
  cents bigint CHECK (cents >= 0),
  state char(1) NOT NULL CHECK (state IN ('F', 'H', 'S')),
  times_sold smallint NOT NULL
);

-- 0 is open, 1 done, 2 void, 3 broken, 4 returned, 5 owed back.
CREATE TABLE shop.basket (
  id bigint PRIMARY KEY,
  account_id bigint NOT NULL REFERENCES shop.account,
  card boolean NOT NULL,
  phase smallint NOT NULL CHECK (phase BETWEEN 0 AND 5),
  cents bigint NOT NULL,
  cents_left bigint,
  browser text NOT NULL
);

CREATE TABLE shop.basket_line (
  basket_id bigint NOT NULL REFERENCES shop.basket,
  contact_id bigint NOT NULL REFERENCES shop.contact,
  cents bigint NOT NULL,
  PRIMARY KEY (basket_id, contact_id)
);

CREATE TABLE shop.hold (
  basket_id bigint NOT NULL REFERENCES shop.basket,
  contact_id bigint NOT NULL REFERENCES shop.contact,
  good_until timestamptz NOT NULL,
  PRIMARY KEY (basket_id, contact_id)
);

CREATE TABLE shop.booking (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id bigint NOT NULL REFERENCES shop.account,
  basket_id bigint REFERENCES shop.basket,
  cents bigint NOT NULL
);

-- What every schema has some of: seed data, a trigger that writes, a trigger that refuses.
CREATE TABLE shop.country (code char(2) PRIMARY KEY);
INSERT INTO shop.country VALUES ('DE'), ('NZ');

CREATE FUNCTION shop.open_wallet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO shop.wallet VALUES (NEW.id, 0);
  RETURN NEW;
END
$$;
CREATE TRIGGER account_opens_wallet AFTER INSERT ON shop.account FOR EACH ROW EXECUTE FUNCTION shop.open_wallet();

CREATE FUNCTION shop.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'bookings stay';
END
$$;
CREATE TRIGGER bookings_stay BEFORE DELETE OR TRUNCATE ON shop.booking FOR EACH STATEMENT EXECUTE FUNCTION shop.refuse();
