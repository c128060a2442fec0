-- The number of votes, in all polls with voting codes that are not archived, whose voter has no code, or one that was
-- revoked before the ballot came in.
SELECT count(*)
FROM votes v
JOIN polls p ON p.id = v.poll_id AND p.voter_policy IN ('code', 'keyed_code') AND p.archived_at_ms IS NULL
WHERE NOT EXISTS (
    SELECT FROM voting_codes c
    WHERE c.poll_id = v.poll_id AND c.hash = code_hash(v.voter) AND v.entry_ms <= coalesce(c.revoked_at_ms, v.entry_ms)
)
