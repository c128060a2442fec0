-- Removes ballots from `set_aside` that count after all. This happens when a ballot that had lost arrives in a second entry
-- that wins. It is a separate statement after the upsert, so that it sees what other transactions committed before this
-- one locked the voter's row.
DELETE FROM set_aside
USING votes v JOIN unnest($1::int4[], $2::uuid[]) AS i (poll_id, voter) USING (poll_id, voter)
WHERE set_aside.ballot = v.ballot
