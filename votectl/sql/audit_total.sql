-- Counts the ballots that Postgres knows, over all polls.
SELECT ((SELECT coalesce(sum(voters), 0) FROM poll_tally) + (SELECT count(*) FROM set_aside))::bigint
