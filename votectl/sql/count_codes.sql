-- Voting codes of a poll: how many were issued, and how many of them have voted.
SELECT count(*) AS issued, count(v.voter) AS voted
FROM codes c
LEFT JOIN votes v USING (poll_id, voter)
WHERE c.poll_id = $1
