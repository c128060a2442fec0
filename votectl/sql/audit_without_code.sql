-- Counts the votes of a poll with voting codes whose voter has no code, or one that was revoked before the ballot came in.
SELECT count(*)
FROM votes v
WHERE v.poll_id = $1
  AND NOT EXISTS (
    SELECT FROM voting_codes c
    WHERE c.poll_id = v.poll_id AND c.hash = code_hash(v.voter) AND v.entry_ms <= coalesce(c.revoked_at_ms, v.entry_ms)
)
