-- Ballots of a poll that do not stand, by reason; one that does stand after all is not counted twice.
SELECT count(*) FILTER (WHERE reason = 'superseded')  AS superseded,
       count(*) FILTER (WHERE reason = 'out_of_time') AS out_of_time
FROM set_aside a
WHERE poll_id = $1
  AND NOT EXISTS (SELECT FROM votes v WHERE v.poll_id = a.poll_id AND v.ballot = a.ballot)
