INSERT INTO polls (slug, title, choices_min, choices_max, vote_policy, voter_policy, visibility, opens_at_ms, closes_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING id
