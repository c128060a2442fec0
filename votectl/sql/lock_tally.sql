-- Waits for the transactions that count votes of this poll, and lets no further one begin: each changes this row.
SELECT FROM poll_tally WHERE poll_id = $1 FOR UPDATE
