SELECT p.poll_id, p.version, p.voters,
       ARRAY(SELECT t.votes FROM tally t WHERE t.poll_id = p.poll_id ORDER BY t.position) AS votes
FROM poll_tally p
WHERE p.poll_id = ANY($1)
