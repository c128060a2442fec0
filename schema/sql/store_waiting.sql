-- Stores how many ballots wait by poll ($1, as JSON or NULL), and returns the new generation.
INSERT INTO waiting AS w (measured_at, by_poll, generation)
VALUES (clock_timestamp(), $1::text::jsonb, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
ON CONFLICT (singleton) DO UPDATE
SET measured_at = excluded.measured_at, by_poll = excluded.by_poll,
    generation = greatest(w.generation + 1, excluded.generation), mismatch = NULL
RETURNING generation
