-- What each service may do, and no more. Run after every migration; running it again changes nothing.
GRANT USAGE ON SCHEMA public TO votestream_consumer, votestream_dashboard;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO votestream_consumer, votestream_dashboard;
GRANT INSERT, UPDATE ON votes, tally, poll_tally, series, set_aside TO votestream_consumer;
REVOKE SELECT ON codes, votes FROM votestream_dashboard;
