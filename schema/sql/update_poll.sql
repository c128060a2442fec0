UPDATE polls
SET title = $2, choices_min = $3, choices_max = $4, vote_policy = $5, voter_policy = $6, visibility = $7,
    opens_at_ms = $8, closes_at_ms = $9, revision = revision + 1
WHERE slug = $1
RETURNING id
