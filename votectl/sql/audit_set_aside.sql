-- Counts the ballots of a poll that do not stand, by reason. A ballot that does stand after all is left out,
-- because it is counted as a vote.
SELECT count(*) FILTER (WHERE reason = 'superseded')  AS superseded,
       count(*) FILTER (WHERE reason = 'out_of_time') AS out_of_time
FROM set_aside a
WHERE poll_id = $1
  AND NOT EXISTS (SELECT FROM votes v WHERE v.poll_id = a.poll_id AND v.ballot = a.ballot)
