-- The oldest ballots that wait for the public logs, without those of the polls $1.
-- $2 the most rows. Returns their ids, polls and ballots.
SELECT id, poll_id, ballots FROM log_queue WHERE poll_id <> ALL ($1) ORDER BY id LIMIT $2
