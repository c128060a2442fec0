-- Stores ballots that do not count, skips those that do, and returns those that were not stored before. It runs after the batch was counted in this transaction, so
-- the voters' rows are locked and no ballot can be both counted and set aside.
INSERT INTO set_aside (ballot, poll_id, reason, partition, entry_ms, entry_seq)
SELECT ballot, poll_id, reason, partition_of(voter, (SELECT partitions FROM deployment)), entry_ms, entry_seq
FROM unnest($1::uuid[], $2::int4[], $3::uuid[], $4::text[], $5::int8[], $6::int8[])
    AS i (ballot, poll_id, voter, reason, entry_ms, entry_seq)
WHERE NOT EXISTS (
    SELECT FROM votes v WHERE v.poll_id = i.poll_id AND v.voter = i.voter AND v.ballot = i.ballot
)
ON CONFLICT DO NOTHING
RETURNING ballot
