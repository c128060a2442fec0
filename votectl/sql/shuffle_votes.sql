-- Stores the votes of a poll again, in random order, under random keys and without their times.
WITH removed AS (
    DELETE FROM votes WHERE poll_id = $1 RETURNING choices
)
INSERT INTO votes (poll_id, voter, choices, entry_ms, entry_seq, ballot)
SELECT $1, gen_random_uuid(), choices, 0, 0, gen_random_uuid()
FROM removed
ORDER BY random()
