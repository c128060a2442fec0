-- Counts the voting codes of a poll: those that were issued, those of them that were revoked, and those that have voted.
SELECT count(*) AS issued, count(c.revoked_at_ms) AS revoked, count(v.hash) AS voted
FROM voting_codes c
LEFT JOIN (SELECT code_hash(voter) AS hash FROM votes WHERE poll_id = $1) v USING (hash)
WHERE c.poll_id = $1
