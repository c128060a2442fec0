-- The number of sessions on this server, including those of other applications, and the most that it accepts. Any role
-- may read both.
SELECT coalesce(sum(numbackends), 0)::bigint, current_setting('max_connections')::bigint
FROM pg_stat_database
