-- Grants the rights that the host's service needs, and no others: it writes polls, their times and their texts, and adds voting
-- codes. It changes no vote and no tally, reads no vote, and cannot make an organiser. votectl replaces the role by its
-- quoted name.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM :role;
GRANT USAGE ON SCHEMA public TO :role;
GRANT SELECT ON polls, poll_secrets, options, codes, voting_codes, deployment, locks, tally, poll_tally, series, progress,
    waiting, poll_changes, organisers, host_links, host_sessions, audit_trail TO :role;
-- Whether a poll has votes: then its options are frozen.
GRANT SELECT (poll_id) ON votes TO :role;
GRANT UPDATE ON locks TO :role;
GRANT INSERT ON polls, poll_secrets, options, tally, poll_tally, voting_codes, poll_changes, audit_trail, host_sessions TO :role;
GRANT UPDATE (title, titles, lang, visibility, network_limit, listed, opens_at_ms, closes_at_ms, archived_at_ms, revision) ON polls TO :role;
GRANT UPDATE (label, labels) ON options TO :role;
GRANT UPDATE (confirmed_at) ON host_sessions TO :role;
GRANT DELETE ON host_sessions, host_links TO :role;
