-- Postgres' time, that of the newest checkpoint of any log (both in Unix milliseconds), and the age in seconds of the oldest
-- ballots that wait for a log.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8, (SELECT max(at_ms) FROM log_checkpoints),
    (SELECT extract(epoch FROM clock_timestamp() - queued)::float8 FROM log_queue ORDER BY id LIMIT 1)
