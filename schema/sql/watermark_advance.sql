-- Moves watermarks forward, and never back. $1 partitions, $2 times in milliseconds.
INSERT INTO watermarks AS w (partition, complete_to_ms)
SELECT * FROM unnest($1::int2[], $2::int8[])
ON CONFLICT (partition) DO UPDATE SET complete_to_ms = excluded.complete_to_ms
WHERE w.complete_to_ms < excluded.complete_to_ms
