INSERT INTO options (poll_id, position, slug, label, description, colour, labels)
SELECT $1, ordinality - 1, slug, label, description, colour, labels::jsonb
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY AS o (slug, label, description, colour, labels, ordinality)
