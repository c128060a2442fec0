-- The ballots in Postgres by poll, over all polls that are not archived.
-- $1 and $2 milliseconds and sequence of the last entry that is counted, for each partition; $3 Postgres' time, in
--    milliseconds, before these were measured; $4 whether no ballot was accepted since, so that no vote is left out.
-- Returns per poll: votes, ballots set aside because another counts, and because they were out of time; then ballots set
-- aside of which a consumer of the release before did not say when they came in, so that nobody knows whether to leave
-- them out.
WITH live AS (
    SELECT id AS poll_id FROM polls WHERE archived_at_ms IS NULL
), last_of AS MATERIALIZED (
    SELECT (nth - 1)::smallint AS partition, ms, seq
    FROM unnest($1::int8[], $2::int8[]) WITH ORDINALITY AS last (ms, seq, nth)
), later AS (
    SELECT poll_id, count(*) AS votes
    FROM votes v
    JOIN last_of ON last_of.partition = partition_of(v.voter, cardinality($1::int8[])::smallint)
    WHERE NOT $4 AND v.entry_ms >= (SELECT min(ms) FROM last_of) AND (v.entry_ms, v.entry_seq) > (ms, seq)
    GROUP BY 1
), aside AS (
    SELECT poll_id,
        count(*) FILTER (WHERE reason = 'superseded' AND NOT is_later) AS replaced,
        count(*) FILTER (WHERE reason = 'out_of_time' AND NOT is_later) AS out_of_time,
        count(*) FILTER (WHERE entry_seq IS NULL AND counted_at >= to_timestamp($3::float8 / 1000)) AS unknown
    FROM set_aside
    LEFT JOIN last_of USING (partition),
        LATERAL (SELECT coalesce((entry_ms, entry_seq) > (ms, seq), false) AS is_later) it
    GROUP BY 1
)
SELECT poll_id, coalesce(voters, 0)::int8 - coalesce(later.votes, 0)::int8, coalesce(replaced, 0)::int8,
    coalesce(out_of_time, 0)::int8, coalesce(unknown, 0)::int8
FROM live LEFT JOIN poll_tally USING (poll_id) LEFT JOIN later USING (poll_id) LEFT JOIN aside USING (poll_id)
