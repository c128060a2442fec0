-- Moves watermarks forward, and never back. $1 partitions, $2 times in milliseconds, $3 to $5 the positions of the streams
-- when they were measured (ms, seq, added).
-- If the stored position is another one, somebody else has measured the stream since, and may have found a loss.
INSERT INTO watermarks AS w (partition, complete_to_ms)
SELECT i.partition, i.complete_to_ms
FROM unnest($1::int2[], $2::int8[], $3::int8[], $4::int8[], $5::int8[])
    AS i (partition, complete_to_ms, last_ms, last_seq, added)
JOIN stream_positions p USING (partition)
WHERE (p.last_ms, p.last_seq, p.added) = (i.last_ms, i.last_seq, i.added)
  AND NOT EXISTS (SELECT FROM stream_regressions WHERE acknowledged_at_ms IS NULL)
ON CONFLICT (partition) DO UPDATE SET complete_to_ms = excluded.complete_to_ms
WHERE w.complete_to_ms < excluded.complete_to_ms
