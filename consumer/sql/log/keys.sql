-- Publishes the public keys $1, of which the first one signs.
INSERT INTO log_keys AS k (public_key, signs, first_ms, last_ms)
SELECT key, nth = 1, now_ms, now_ms
FROM unnest($1::text[]) WITH ORDINALITY AS given (key, nth), (SELECT (extract(epoch FROM now()) * 1000)::int8 AS now_ms) clock
ON CONFLICT (public_key) DO UPDATE SET signs = excluded.signs, last_ms = excluded.last_ms
