-- Sets what may change in a poll, and its revision. Labels are given by their options' slugs.
WITH changed AS (
    UPDATE polls SET title = $2, visibility = $3, network_limit = $4, revision = $5, listed = $8, lang = $9,
                     titles = $10::text::jsonb WHERE id = $1 RETURNING id
)
UPDATE options SET label = given.label, labels = given.labels::jsonb
FROM changed, unnest($6::text[], $7::text[], $11::text[]) AS given (slug, label, labels)
WHERE options.poll_id = changed.id AND options.slug = given.slug AND (options.label, options.labels) IS DISTINCT FROM (given.label, given.labels::jsonb)
