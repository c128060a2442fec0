-- Reads a poll's tally: one row, whatever the number of options.
SELECT p.version, p.voters, array_agg(t.votes ORDER BY t.position) AS votes
FROM poll_tally p
JOIN tally t USING (poll_id)
WHERE p.poll_id = $1
GROUP BY p.poll_id
