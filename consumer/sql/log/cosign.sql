-- Keeps the signature $4 of witness $1 below the checkpoint of poll $2 with $3 entries. The witness may be asked again.
WITH signed AS (
    UPDATE log_witnesses SET signed = $3, free_at = clock_timestamp() WHERE witness = $1 AND poll_id = $2
)
INSERT INTO log_cosignatures (poll_id, size, witness, line)
VALUES ($2, $3, $1, $4)
ON CONFLICT (poll_id, size, witness) DO UPDATE SET line = excluded.line
