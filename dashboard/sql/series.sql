SELECT p.voters, coalesce(s.seconds, '{}') AS seconds, coalesce(s.votes, '{}') AS votes
FROM poll_tally p,
    LATERAL (
        SELECT array_agg(second ORDER BY second) AS seconds, array_agg(votes ORDER BY second) AS votes
        FROM series
        WHERE poll_id = p.poll_id AND second > $2 AND second <= $3
    ) s
WHERE p.poll_id = $1
