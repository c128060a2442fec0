-- Counts, by poll, those of the given ballots that Postgres has neither counted nor set aside.
SELECT i.poll_id, count(*) AS ballots
FROM (SELECT DISTINCT * FROM unnest($1::int4[], $2::uuid[], $3::uuid[]) AS i (poll_id, voter, ballot)) i
WHERE NOT EXISTS (
        SELECT FROM votes v WHERE v.poll_id = i.poll_id AND v.voter = i.voter AND v.ballot = i.ballot)
  AND NOT EXISTS (SELECT FROM set_aside a WHERE a.ballot = i.ballot)
GROUP BY i.poll_id
