-- How far counting has come, so that a result is called final only when it is complete.
-- The terms are those of stream processing: https://beam.apache.org/documentation/basics/#watermarks

CREATE TABLE watermarks (
    partition      smallint PRIMARY KEY,
    complete_to_ms bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE watermarks IS 'Every ballot of the partition that came in before this time is counted, set aside or a dead letter.';

CREATE TABLE waiting (
    singleton   boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    measured_at timestamptz NOT NULL,
    by_poll     jsonb
) WITH (fillfactor = 50);
COMMENT ON TABLE waiting IS 'Ballots in the streams by poll, without polls that have none; by_poll is NULL if that is not known.';

-- The least watermark of all partitions, NULL while that of any is unknown; and the waiting ballots, NULL while unknown.
CREATE VIEW progress AS
SELECT (SELECT CASE WHEN count(*) = (SELECT partitions FROM deployment) THEN min(complete_to_ms) END
        FROM watermarks) AS complete_to_ms,
       (SELECT CASE WHEN measured_at > clock_timestamp() - interval '3 seconds' THEN by_poll END
        FROM waiting) AS waiting_by_poll;
