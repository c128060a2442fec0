SELECT poll_id, second, votes FROM series WHERE poll_id = ANY($1) AND second >= $2 ORDER BY poll_id, second
