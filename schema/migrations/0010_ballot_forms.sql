-- A poll may show its options in an order of each voter's own, and may take ballots without any choice.

-- In the order in which consumers lock them: in another one, the two could wait for each other.
LOCK TABLE votes, polls IN ACCESS EXCLUSIVE MODE;

ALTER TABLE polls ADD COLUMN shuffle boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN polls.shuffle IS 'Whether each voter sees the options in an order of their own.';

ALTER TABLE polls DROP CONSTRAINT polls_choices_min_check;
ALTER TABLE polls ADD CONSTRAINT polls_choices_min_check CHECK (choices_min >= 0);
ALTER TABLE polls DROP CONSTRAINT polls_check;
ALTER TABLE polls ADD CONSTRAINT polls_check CHECK (choices_max BETWEEN greatest(choices_min, 1) AND 63);

-- NOT VALID: the rows that are there obey the stricter rule, so nobody needs to read them all.
ALTER TABLE votes DROP CONSTRAINT votes_choices_check;
ALTER TABLE votes ADD CONSTRAINT votes_choices_check CHECK (choices >= 0) NOT VALID;
COMMENT ON COLUMN votes.choices IS 'Bit mask by option position: bit 0 is the first option; 0 is an abstention.';
