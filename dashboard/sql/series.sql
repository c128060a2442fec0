SELECT second, votes FROM series WHERE poll_id = $1 AND second > $2 AND second <= $3 ORDER BY second
