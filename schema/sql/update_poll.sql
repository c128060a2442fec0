-- Rewrites a poll. How it names its voters stays, because it may have voting codes already.
UPDATE polls
SET title = $2, choices_min = $3, choices_max = $4, vote_policy = $5,
    voter_policy = CASE WHEN voter_policy LIKE 'keyed%' THEN 'keyed_' ELSE '' END || $6, visibility = $7,
    opens_at_ms = $8, closes_at_ms = $9, secret = $10, keep_votes_days = $11, network_limit = $12, shuffle = $13, listed = $14,
    receipts = $15, lang = $16, titles = $17::text::jsonb, revision = revision + 1
WHERE slug = $1
RETURNING id
