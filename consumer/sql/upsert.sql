-- Counts a batch of at most one row per (poll, voter). The rows are sorted by it, so that two replicas never deadlock.
-- The upsert returns the choices that it replaced, which `tally.sql` needs.
WITH standing AS (
    INSERT INTO votes AS v (poll_id, voter, choices, entry_ms, entry_seq, ballot)
    SELECT * FROM unnest($1::int4[], $2::uuid[], $3::int8[], $4::int8[], $5::int8[], $6::uuid[])
    ON CONFLICT (poll_id, voter) DO UPDATE SET
        prev_choices = v.choices, prev_entry_ms = v.entry_ms, prev_entry_seq = v.entry_seq, prev_ballot = v.ballot,
        choices = excluded.choices, entry_ms = excluded.entry_ms, entry_seq = excluded.entry_seq,
        ballot = excluded.ballot
    -- $7 lists the polls of the batch in which a newer ballot replaces an older one; in all others the oldest one counts.
    -- A ballot that arrived in several entries counts with the entry that wins, as if the others did not exist. So a
    -- ballot may also replace itself.
    WHERE CASE WHEN excluded.poll_id = ANY ($7::int4[]) THEN
              (excluded.entry_ms, excluded.entry_seq, excluded.ballot) > (v.entry_ms, v.entry_seq, v.ballot)
          ELSE
              (excluded.entry_ms, excluded.entry_seq, excluded.ballot) < (v.entry_ms, v.entry_seq, v.ballot)
          END
    RETURNING poll_id, voter, choices, entry_ms, ballot, prev_choices, prev_entry_ms, prev_entry_seq,
        nullif(prev_ballot, ballot) AS prev_ballot
