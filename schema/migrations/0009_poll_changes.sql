-- A title or a label can be corrected after votes have come in, and every change of a poll is kept.

CREATE TABLE poll_changes (
    poll_id    integer NOT NULL REFERENCES polls,
    revision   integer NOT NULL,
    field      text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    before     text,
    after      text,
    PRIMARY KEY (poll_id, revision, field)
);
COMMENT ON TABLE poll_changes IS 'What votectl poll set has changed: the value before and after, null for none. Rows stay.';
COMMENT ON COLUMN poll_changes.revision IS 'The revision of the poll that the change made.';
COMMENT ON COLUMN poll_changes.field IS 'title, label of SLUG, visibility, network_limit or listed.';

-- A stored mask must mean for ever what its voter chose, so position and slug of an option stay. How it is worded may be corrected.
CREATE OR REPLACE FUNCTION options_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.poll_id, NEW.position, NEW.slug) = (OLD.poll_id, OLD.position, OLD.slug) THEN
            RETURN NEW;
        END IF;
    END IF;
    IF EXISTS (SELECT FROM votes WHERE poll_id = coalesce(OLD.poll_id, NEW.poll_id)) THEN
        RAISE EXCEPTION 'options of poll % cannot change: it has votes', coalesce(OLD.poll_id, NEW.poll_id)
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
