-- Lists, by their place in the arrays (from 1), the votes whose voter has no voting code. $1 polls, $2 the hashes of the
-- voters, $3 the milliseconds of the entry IDs: a revoked code is good for the ballots that came before.
SELECT i.place
FROM unnest($1::int4[], $2::uuid[], $3::int8[]) WITH ORDINALITY AS i (poll_id, hash, entry_ms, place)
WHERE NOT EXISTS (
    SELECT FROM voting_codes c
    WHERE c.poll_id = i.poll_id AND c.hash = i.hash AND i.entry_ms <= coalesce(c.revoked_at_ms, i.entry_ms)
)
ORDER BY i.place
