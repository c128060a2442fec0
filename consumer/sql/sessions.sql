-- Sessions on this server, everybody's, and how many it takes. Any role may read this.
SELECT coalesce(sum(numbackends), 0)::bigint, current_setting('max_connections')::bigint
FROM pg_stat_database
