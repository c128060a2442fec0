-- Compares the stored series of a poll with a recount: returns its sum, and the number of seconds in which
-- the two differ.
SELECT coalesce(sum(s.votes), 0)::bigint AS stored,
       count(*) FILTER (WHERE coalesce(s.votes, 0) <> coalesce(v.votes, 0)) AS seconds_different
FROM (SELECT second, votes FROM series WHERE poll_id = $1) s
FULL JOIN (SELECT entry_ms / 1000 AS second, count(*) AS votes FROM votes WHERE poll_id = $1 GROUP BY 1) v
    USING (second)
