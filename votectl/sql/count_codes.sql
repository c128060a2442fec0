-- Counts the voting codes of a poll: those that were issued, and those that have voted.
SELECT count(*) AS issued, count(v.voter) AS voted
FROM codes c
LEFT JOIN votes v USING (poll_id, voter)
WHERE c.poll_id = $1
