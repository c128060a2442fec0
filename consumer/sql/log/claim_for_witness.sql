-- The logs whose newest checkpoint the witness $1 has not signed, at most $2. Each is claimed for $3 seconds, so that one replica asks
-- at a time. `signed` is the number of entries of the checkpoint that the witness signed last.
WITH waiting AS (
    SELECT c.poll_id, c.size, c.root, c.note
    FROM logs JOIN log_checkpoints c ON c.poll_id = logs.poll_id AND c.size = logs.size
        LEFT JOIN log_witnesses w ON w.poll_id = logs.poll_id AND w.witness = $1
    WHERE c.note IS NOT NULL AND (w.witness IS NULL OR (w.signed <> c.size AND w.free_at <= clock_timestamp()))
    ORDER BY w.free_at NULLS FIRST
    LIMIT $2
), claimed AS (
    INSERT INTO log_witnesses AS w (witness, poll_id, signed, free_at)
    SELECT $1, poll_id, 0, clock_timestamp() + $3 * interval '1 second' FROM waiting
    ON CONFLICT (witness, poll_id) DO UPDATE SET free_at = excluded.free_at WHERE w.free_at <= clock_timestamp()
    RETURNING poll_id, signed
)
SELECT poll_id, signed, size, root, note FROM claimed JOIN waiting USING (poll_id)
