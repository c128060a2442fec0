-- Stores a new poll. Its voters are named by keys.
INSERT INTO polls (slug, title, choices_min, choices_max, vote_policy, voter_policy, visibility, opens_at_ms, closes_at_ms,
                   secret, keep_votes_days, network_limit, shuffle, listed, receipts, lang, titles)
VALUES ($1, $2, $3, $4, $5, 'keyed_' || $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17::text::jsonb)
RETURNING id
