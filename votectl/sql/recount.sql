-- Votes of a poll by what they choose: few rows, from which the tally is counted anew.
SELECT choices, count(*) AS votes FROM votes WHERE poll_id = $1 GROUP BY choices
