-- The end of the statement that begins in `upsert.sql`. Returns the rows written, and how many of them replaced another; then each
-- ballot that counts since, with the entry of the vote that it replaced, for the public log.
SELECT counted, replaced, ballots, replaced_ms, replaced_seq
FROM (
    SELECT coalesce(sum(n), 0)::int8 AS counted,
        coalesce(sum(n) FILTER (WHERE prev_choices IS NOT NULL), 0)::int8 AS replaced
    FROM alike
    WHERE NOT of_itself
) totals, (
    SELECT array_agg(ballot) AS ballots, array_agg(prev_entry_ms) AS replaced_ms,
        array_agg(prev_entry_seq) AS replaced_seq
    FROM standing
) changes
