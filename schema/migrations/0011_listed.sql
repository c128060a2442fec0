-- A poll may be left out of lists, or stand in them although it has voting codes.

ALTER TABLE polls ADD COLUMN listed boolean;
COMMENT ON COLUMN polls.listed IS 'Whether lists of polls name it; null: unless its voters need codes.';
