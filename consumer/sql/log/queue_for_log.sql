-- Queues ballots for the public logs: an array of polls, and one of their ballots as bytes (log_record.rs).
INSERT INTO log_queue (poll_id, ballots) SELECT * FROM unnest($1::int4[], $2::bytea[])
