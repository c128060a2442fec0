-- Grants the rights that the consumer needs, and no others. votectl replaces the role by its quoted name.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM :role;
GRANT USAGE ON SCHEMA public TO :role;
GRANT SELECT ON polls, poll_secrets, options, codes, voting_codes, deployment TO :role;
GRANT SELECT, UPDATE ON locks TO :role;
GRANT SELECT, INSERT, UPDATE ON votes, tally, poll_tally, series, set_aside, stream_positions, watermarks, waiting, accounts TO :role;
GRANT SELECT, INSERT ON stream_regressions TO :role;
GRANT DELETE ON set_aside TO :role;
GRANT SELECT, INSERT, DELETE ON log_queue TO :role;
GRANT SELECT, INSERT, UPDATE ON logs, log_tiles, log_bundles, log_checkpoints, log_keys, log_witnesses, log_cosignatures TO :role;
