-- Lets those who read Postgres alone, such as dashboards, say that Redis and Postgres are of different times.

ALTER TABLE waiting ADD COLUMN mismatch text;
COMMENT ON COLUMN waiting.mismatch IS 'Why consumers count nothing: this database or Redis was restored. NULL while both are of the same time.';

-- While they are of different times, nothing is known to be complete.
CREATE OR REPLACE VIEW progress AS
SELECT (SELECT CASE WHEN count(*) = (SELECT partitions FROM deployment)
                     AND NOT EXISTS (SELECT FROM waiting WHERE mismatch IS NOT NULL) THEN min(complete_to_ms) END
        FROM watermarks) AS complete_to_ms,
       (SELECT CASE WHEN measured_at > clock_timestamp() - interval '3 seconds' AND mismatch IS NULL THEN by_poll END
        FROM waiting) AS waiting_by_poll,
       (SELECT mismatch FROM waiting) AS mismatch;
