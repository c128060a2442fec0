-- What the dashboard may do, and no more: no votes, no codes; votectl puts in its quoted name.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM :role;
GRANT USAGE ON SCHEMA public TO :role;
GRANT SELECT ON polls, options, tally, poll_tally, series, deployment TO :role;
