-- Of a batch that was just counted in this transaction: a ballot that was set aside stands after all when
-- it came once more in an entry that decides for it. A statement of its own, which sees what others
-- committed before this transaction had the voter's row.
DELETE FROM set_aside
USING votes v JOIN unnest($1::int4[], $2::uuid[]) AS i (poll_id, voter) USING (poll_id, voter)
WHERE set_aside.ballot = v.ballot
