-- Stores how the log of poll $1 has grown: $2 its size, $3 its root hash, $4 the signed checkpoint; $5 to $7 its tiles (level, index,
-- hashes); $8 to $11 its bundles (index, times of the first and last entry, entries).
WITH log AS (
    INSERT INTO logs (poll_id, size, root) VALUES ($1, $2, $3)
    ON CONFLICT (poll_id) DO UPDATE SET size = excluded.size, root = excluded.root
), tiles AS (
    INSERT INTO log_tiles (poll_id, level, index, hashes)
    SELECT $1, * FROM unnest($5::int2[], $6::int8[], $7::bytea[])
    ON CONFLICT (poll_id, level, index) DO UPDATE SET hashes = excluded.hashes
), bundles AS (
    INSERT INTO log_bundles (poll_id, index, first_ms, last_ms, entries)
    SELECT $1, * FROM unnest($8::int8[], $9::int8[], $10::int8[], $11::bytea[])
    ON CONFLICT (poll_id, index) DO UPDATE
        SET entries = excluded.entries, first_ms = excluded.first_ms, last_ms = excluded.last_ms
)
INSERT INTO log_checkpoints (poll_id, size, root, at_ms, note)
VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000)::int8, $4)
