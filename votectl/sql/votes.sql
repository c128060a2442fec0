-- Reads every vote of a poll, in the order in which the standing ballots came in.
SELECT voter, choices, entry_ms, entry_seq, ballot
FROM votes
WHERE poll_id = $1
ORDER BY entry_ms, entry_seq, voter
