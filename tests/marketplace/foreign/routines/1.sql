CREATE FUNCTION shop.why_not(wanted bigint[], buyer bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM shop.contact WHERE id = ANY (wanted) ORDER BY id FOR UPDATE;
  RETURN (
    SELECT problem
    FROM unnest(wanted) AS w (id)
    LEFT JOIN shop.contact AS c USING (id),
    LATERAL (SELECT CASE
      WHEN c.state IS DISTINCT FROM 'F' THEN 'gone'
      WHEN c.owner_id = buyer THEN 'your own'
      WHEN c.cents IS NULL THEN 'no price'
      WHEN EXISTS (
        SELECT FROM shop.hold AS h JOIN shop.basket AS b ON b.id = h.basket_id
        WHERE h.contact_id = c.id AND b.account_id <> buyer AND h.good_until > clock_timestamp()
      ) THEN 'somebody is paying for it'
    END AS problem) AS found
    WHERE problem IS NOT NULL
    ORDER BY w.id
    LIMIT 1
  );
END
$$;

CREATE FUNCTION shop.fill_basket(basket bigint, buyer bigint, wanted bigint[], by_card boolean, OUT total bigint)
LANGUAGE plpgsql AS $$
DECLARE
  problem text := CASE
    WHEN coalesce(cardinality(wanted), 0) = 0 THEN 'nothing asked'
    WHEN cardinality(wanted) > (SELECT count(DISTINCT w) FROM unnest(wanted) AS w) THEN 'asked twice'
    ELSE shop.why_not(wanted, buyer)
  END;
BEGIN
  IF problem IS NOT NULL THEN
    RAISE EXCEPTION 'Sorry: %', problem;
  END IF;
  SELECT sum(cents) INTO total FROM shop.contact WHERE id = ANY (wanted);
  INSERT INTO shop.basket VALUES (basket, buyer, by_card, 0, total, NULL, 'none');
  INSERT INTO shop.basket_line SELECT basket, id, cents FROM shop.contact WHERE id = ANY (wanted);
  IF by_card THEN
    INSERT INTO shop.hold SELECT basket, id, clock_timestamp() + interval '1 hour' FROM unnest(wanted) AS id;
  END IF;
END
$$;

CREATE FUNCTION shop.pay_from_wallet(
  which bigint, payer bigint, amount bigint,
  OUT success boolean, OUT error_message text, OUT already_completed boolean, OUT cents_left bigint
) LANGUAGE plpgsql AS $$
DECLARE
  b shop.basket;
  wanted bigint[];
  due bigint;
BEGIN
  SELECT * INTO b FROM shop.basket WHERE id = which AND account_id = payer FOR UPDATE;
  SELECT array_agg(contact_id), sum(cents) INTO wanted, due FROM shop.basket_line WHERE basket_id = which;
  already_completed := coalesce(b.phase = 1, false) AND amount = due AND NOT b.card;
  error_message := CASE
    WHEN b.id IS NULL THEN 'no such basket'
    WHEN b.card THEN 'paid by card'
    WHEN amount IS DISTINCT FROM due THEN 'not the price'
    WHEN b.phase = 1 THEN NULL
    WHEN b.phase <> 0 THEN 'basket is over'
    ELSE shop.why_not(wanted, payer)
  END;
  cents_left := b.cents_left;
  IF error_message IS NULL AND b.phase = 0 THEN
    UPDATE shop.wallet SET cents = cents - amount WHERE account_id = payer AND cents >= amount
    RETURNING cents INTO cents_left;
    IF cents_left IS NULL THEN
      error_message := 'too poor';
    ELSE
      UPDATE shop.contact SET state = 'S', times_sold = times_sold + 1 WHERE id = ANY (wanted);
      UPDATE shop.basket SET phase = 1, cents_left = pay_from_wallet.cents_left WHERE id = which;
      INSERT INTO shop.booking (account_id, basket_id, cents) VALUES (payer, which, -amount);
    END IF;
  END IF;
  success := error_message IS NULL;
END
$$;

CREATE FUNCTION shop.card_was_charged(which bigint, OUT already_completed boolean, OUT marked bigint[])
LANGUAGE plpgsql AS $$
DECLARE
  b shop.basket;
  wanted bigint[];
BEGIN
  SELECT * INTO b FROM shop.basket WHERE id = which FOR UPDATE;
  IF b.id IS NULL THEN
    RAISE EXCEPTION 'Sorry: no such basket';
  ELSIF NOT b.card THEN
    RAISE EXCEPTION 'Sorry: paid from the wallet';
  END IF;
  already_completed := b.phase = 1;
  marked := '{}';
  IF b.phase IN (1, 4, 5) THEN
    RETURN;
  END IF;
  SELECT array_agg(contact_id) INTO wanted FROM shop.basket_line WHERE basket_id = which;
  IF b.phase = 0 AND shop.why_not(wanted, b.account_id) IS NULL THEN
    UPDATE shop.contact SET state = 'S', times_sold = times_sold + 1 WHERE id = ANY (wanted);
    marked := wanted;
  END IF;
  UPDATE shop.basket SET phase = CASE marked WHEN '{}' THEN 5 ELSE 1 END WHERE id = which;
  DELETE FROM shop.hold WHERE basket_id = which;
END
$$;
