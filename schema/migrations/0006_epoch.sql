-- Recognises a database that was restored to an earlier state while Redis was kept, or the other way round.

ALTER TABLE deployment ADD COLUMN epoch uuid NOT NULL DEFAULT gen_random_uuid();
COMMENT ON COLUMN deployment.epoch IS 'Also stored in Redis; votectl resync, which a restore ends with, renews it in both.';

ALTER TABLE waiting ADD COLUMN generation bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN waiting.generation IS 'The time of the last measurement in milliseconds, copied to Redis afterwards: a later one in Redis shows that this database went back.';
