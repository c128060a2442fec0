-- Ballots that Postgres knows of, over all polls: those that stand, and those that do not.
SELECT ((SELECT coalesce(sum(voters), 0) FROM poll_tally) + (SELECT count(*) FROM set_aside))::bigint
