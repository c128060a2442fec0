-- Grants the rights that the dashboard needs, and no others: it reads no votes, no codes and no secrets of polls. The bundles of a
-- log have choices, which the dashboard publishes once the results are visible. votectl replaces the role by its quoted name.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM :role;
GRANT USAGE ON SCHEMA public TO :role;
GRANT SELECT ON polls, options, tally, poll_tally, series, deployment, progress, accounts TO :role;
GRANT SELECT ON logs, log_tiles, log_bundles, log_checkpoints, log_keys, log_cosignatures TO :role;
