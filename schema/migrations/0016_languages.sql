-- A poll may say in which language it is written, and have its title and labels in further ones.

ALTER TABLE polls
    ADD COLUMN lang text,
    ADD COLUMN titles jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(titles) = 'object');
COMMENT ON COLUMN polls.lang IS 'The language in which the poll is written (BCP 47), which is that of its pages; null: not known.';
COMMENT ON COLUMN polls.titles IS 'The title in further languages, by their names.';

ALTER TABLE options
    ADD COLUMN labels jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(labels) = 'object');
COMMENT ON COLUMN options.labels IS 'The label in further languages, by their names.';

COMMENT ON COLUMN poll_changes.field IS
    'title, title in LANG, label of SLUG, label of SLUG in LANG, lang, visibility, network_limit or listed.';
