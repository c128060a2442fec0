-- The ballots in Postgres, over all polls: those that count, and those that were set aside.
-- $1 the latest time, in milliseconds, of entries that the audit compares; $2 the time before which every entry is among
--    them; $3 Postgres' time, in milliseconds, before these were measured.
-- Returns how many ballots there are of entries up to $1 at most, and how many before $2 at least. A ballot that was set
-- aside has no time of its own, so all of them are in the first number, and those stored before $3 in the second.
WITH votes_since AS (
    SELECT count(*) FILTER (WHERE entry_ms > $1) AS after_last, count(*) AS after_first
    FROM votes JOIN polls ON polls.id = votes.poll_id AND archived_at_ms IS NULL
    WHERE entry_ms > $1 OR entry_ms >= $2
), all_votes AS (
    SELECT coalesce(sum(voters), 0) AS n FROM poll_tally
), aside AS (
    SELECT count(*) AS n, count(*) FILTER (WHERE counted_at < to_timestamp($3::float8 / 1000)) AS before_first
    FROM set_aside
)
SELECT (all_votes.n - votes_since.after_last + aside.n)::bigint,
       (all_votes.n - votes_since.after_first + aside.before_first)::bigint
FROM votes_since, all_votes, aside
