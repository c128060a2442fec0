-- The number of ballots in Postgres, over all polls: those that count, and those that were set aside.
SELECT ((SELECT coalesce(sum(voters), 0) FROM poll_tally) + (SELECT count(*) FROM set_aside))::bigint
