-- How far counting has come for a poll: the watermark, and the ballots that wait; each NULL if it is not known.
SELECT complete_to_ms,
       CASE WHEN waiting_by_poll IS NOT NULL THEN coalesce((waiting_by_poll ->> $1::int4::text)::int8, 0) END
FROM progress
