-- Counts a batch: at most one row per (poll, voter), sorted by it, so that no two replicas deadlock.
-- The upsert itself returns what it replaced; `tally.sql` goes on from that.
WITH standing AS (
    INSERT INTO votes AS v (poll_id, voter, choices, entry_ms, entry_seq, ballot)
    SELECT * FROM unnest($1::int4[], $2::uuid[], $3::int8[], $4::int8[], $5::int8[], $6::uuid[])
    ON CONFLICT (poll_id, voter) DO UPDATE SET
        prev_choices = v.choices, prev_entry_ms = v.entry_ms, prev_ballot = v.ballot,
        choices = excluded.choices, entry_ms = excluded.entry_ms, entry_seq = excluded.entry_seq,
        ballot = excluded.ballot
    -- A ballot that travelled in several entries counts with the one that decides for it, as if the
    -- others had never been: so it may take the place of itself.
    -- $7: the polls of the batch in which a newer ballot takes the place of an older one.
    WHERE CASE WHEN excluded.poll_id = ANY ($7::int4[]) THEN
              (excluded.entry_ms, excluded.entry_seq, excluded.ballot) > (v.entry_ms, v.entry_seq, v.ballot)
          ELSE
              (excluded.entry_ms, excluded.entry_seq, excluded.ballot) < (v.entry_ms, v.entry_seq, v.ballot)
          END
    RETURNING poll_id, choices, entry_ms, prev_choices, prev_entry_ms,
        nullif(prev_ballot, ballot) AS prev_ballot
