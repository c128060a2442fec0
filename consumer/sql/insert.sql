-- Counts a batch of new voters as `upsert.sql` does, and is refused if one of them has voted before. Where
-- there is nothing to look for in the index before each row is put there, a row costs half. New voters
-- need no policy: $7 is not used.
WITH standing AS (
    INSERT INTO votes (poll_id, voter, choices, entry_ms, entry_seq, ballot)
    SELECT * FROM unnest($1::int4[], $2::uuid[], $3::int8[], $4::int8[], $5::int8[], $6::uuid[])
    RETURNING poll_id, choices, entry_ms, prev_choices, prev_entry_ms, prev_ballot
