-- Moves streams from the position that was read before to the one that was measured after it, and remembers each that
-- went back. A row that another consumer moved meanwhile is left to that consumer.
-- $1 partitions, $2 to $4 the positions now (ms, seq, added), $5 to $7 those before (NULL where there was none),
-- $8 the time in milliseconds since the epoch. Gives the partitions that went back.
WITH measured AS (
    SELECT * FROM unnest($1::int2[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[])
        AS m (partition, last_ms, last_seq, added, from_ms, from_seq, from_added)
), started AS (
    INSERT INTO stream_positions (partition, last_ms, last_seq, added)
    SELECT partition, last_ms, last_seq, added FROM measured WHERE from_ms IS NULL
    ON CONFLICT DO NOTHING
), moved AS (
    UPDATE stream_positions p
    SET last_ms = m.last_ms, last_seq = m.last_seq, added = m.added
    FROM measured m
    WHERE p.partition = m.partition
      AND (p.last_ms, p.last_seq, p.added) = (m.from_ms, m.from_seq, m.from_added)
    RETURNING m.*
)
INSERT INTO stream_regressions
    (partition, found_at_ms, from_ms, from_seq, from_added, to_ms, to_seq, to_added)
SELECT partition, $8::int8, from_ms, from_seq, from_added, last_ms, last_seq, added
FROM moved
WHERE (last_ms, last_seq) < (from_ms, from_seq) OR added < from_added
ON CONFLICT DO NOTHING
RETURNING partition
