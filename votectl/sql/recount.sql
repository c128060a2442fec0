-- Counts the votes of a poll by their choices. The result has few rows, from which the tally is recounted.
SELECT choices, count(*) AS votes FROM votes WHERE poll_id = $1 GROUP BY choices
