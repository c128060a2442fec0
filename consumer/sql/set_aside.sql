INSERT INTO set_aside (ballot, poll_id, reason)
SELECT * FROM unnest($1::uuid[], $2::int4[], $3::text[])
ON CONFLICT DO NOTHING
