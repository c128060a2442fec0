-- The number of votes by which the stored results of all polls that are not archived differ from a recount, summed over
-- options, numbers of voters, and seconds of the series.
WITH live AS (
    SELECT id AS poll_id FROM polls WHERE archived_at_ms IS NULL
), counted AS MATERIALIZED (
    SELECT poll_id, choices, entry_ms / 1000 AS second, count(*) AS votes
    FROM votes JOIN live USING (poll_id)
    GROUP BY 1, 2, 3
), by_option AS (
    SELECT poll_id, position, sum(votes) AS votes
    FROM counted JOIN options USING (poll_id)
    WHERE choices >> position & 1 = 1
    GROUP BY 1, 2
), by_poll AS (
    SELECT poll_id, sum(votes) AS votes FROM counted GROUP BY 1
), by_second AS (
    SELECT poll_id, second, sum(votes) AS votes FROM counted GROUP BY 1, 2
), difference (votes) AS (
    SELECT sum(abs(coalesce(stored.votes, 0) - coalesce(recounted.votes, 0)))
    FROM (SELECT * FROM tally JOIN live USING (poll_id)) stored
    FULL JOIN by_option recounted USING (poll_id, position)
    UNION ALL
    SELECT sum(abs(coalesce(stored.voters, 0) - coalesce(recounted.votes, 0)))
    FROM (SELECT * FROM poll_tally JOIN live USING (poll_id)) stored
    FULL JOIN by_poll recounted USING (poll_id)
    UNION ALL
    SELECT sum(abs(coalesce(stored.votes, 0) - coalesce(recounted.votes, 0)))
    FROM (SELECT * FROM series JOIN live USING (poll_id)) stored
    FULL JOIN by_second recounted USING (poll_id, second)
)
SELECT coalesce(sum(votes), 0)::bigint FROM difference
