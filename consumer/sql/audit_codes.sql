-- The voting codes of the polls that are open at $1 (milliseconds since the epoch): how many were issued and used, and
-- the smallest share of unused codes in any of these polls.
SELECT coalesce(sum(issued), 0)::bigint, coalesce(sum(used), 0)::bigint,
       coalesce(min((issued - used)::float8 / nullif(issued, 0)), 1)
FROM (
    SELECT (SELECT count(*) FROM voting_codes c WHERE c.poll_id = p.id AND c.revoked_at_ms IS NULL) AS issued,
           coalesce((SELECT voters FROM poll_tally t WHERE t.poll_id = p.id), 0) AS used
    FROM polls p
    WHERE voter_policy IN ('code', 'keyed_code') AND archived_at_ms IS NULL
      AND opens_at_ms <= $1 AND coalesce(closes_at_ms > $1, true)
) polls
