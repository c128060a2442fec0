SELECT p.id, p.slug, p.title, p.choices_min, p.choices_max, p.vote_policy, p.voter_policy, p.visibility,
       p.opens_at_ms, p.closes_at_ms, p.archived_at_ms, p.revision, p.secret, p.keep_votes_days, p.sealed_at_ms, p.erased_at_ms,
       p.network_limit, p.shuffle, p.listed, p.receipts, p.results_key, p.lang, p.titles::text AS titles,
       array_agg(o.slug ORDER BY o.position)        AS slugs,
       array_agg(o.label ORDER BY o.position)       AS labels,
       array_agg(o.labels::text ORDER BY o.position) AS translated,
       array_agg(o.description ORDER BY o.position) AS descriptions,
       array_agg(o.colour ORDER BY o.position)      AS colours
FROM polls p
JOIN options o ON o.poll_id = p.id
WHERE $1::text IS NULL OR p.slug = $1
GROUP BY p.id
ORDER BY p.id
