-- Of a batch that was just counted in this transaction: the ballots that do not stand. Rows whose
-- own ballot stands are replays, and are left alone.
INSERT INTO set_aside (ballot, poll_id, reason)
SELECT i.ballot, i.poll_id, 'superseded'
FROM unnest($1::int4[], $2::uuid[], $3::uuid[]) AS i (poll_id, voter, ballot)
JOIN votes v USING (poll_id, voter)
WHERE v.ballot <> i.ballot
ON CONFLICT DO NOTHING
