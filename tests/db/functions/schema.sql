-- What all the nasty functions work on.
CREATE SCHEMA nasty;
CREATE TYPE nasty.state AS ENUM ('open', 'done');
CREATE DOMAIN nasty.amount AS numeric(12, 2) CHECK (VALUE >= 0);
CREATE TYPE nasty.pair AS (a integer, b text);
CREATE TABLE nasty.item (
  id integer PRIMARY KEY,
  price nasty.amount NOT NULL DEFAULT 1,
  state nasty.state NOT NULL DEFAULT 'open',
  "select" text,
  tags text[] NOT NULL DEFAULT '{}'
);
CREATE TABLE nasty.log (n serial PRIMARY KEY, what text NOT NULL);
INSERT INTO nasty.item (id, price, "select", tags)
SELECT n, n * 1.5, 'word ' || n, ARRAY['x', n::text] FROM generate_series(1, 25) AS n;
