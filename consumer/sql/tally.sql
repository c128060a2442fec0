-- The middle of the statement that begins in `insert.sql` or `upsert.sql`: it changes tally, totals and series by
-- exactly the rows that the first half wrote.
), alike AS MATERIALIZED (
    -- A batch holds few distinct choices and seconds, so grouping before expanding to options saves work.
    SELECT poll_id, choices, entry_ms / 1000 AS second, prev_choices, prev_entry_ms / 1000 AS prev_second,
        prev_choices IS NOT NULL AND prev_ballot IS NULL AS of_itself, count(*) AS n
    FROM standing
    GROUP BY 1, 2, 3, 4, 5, 6
), changed AS (
    SELECT poll_id, choices, second, n FROM alike
    UNION ALL
    SELECT poll_id, prev_choices, prev_second, -n FROM alike WHERE prev_choices IS NOT NULL
), tallied AS (
    INSERT INTO tally AS t (poll_id, position, votes)
    SELECT poll_id, position, sum(n)
    FROM changed JOIN options USING (poll_id)
    WHERE changed.choices >> position & 1 = 1
    GROUP BY 1, 2 HAVING sum(n) <> 0
    ORDER BY 1, 2
    ON CONFLICT (poll_id, position) DO UPDATE SET votes = t.votes + excluded.votes
), totalled AS (
    INSERT INTO poll_tally AS t (poll_id, version, voters)
    SELECT poll_id, 1, sum(n) FROM changed GROUP BY 1 ORDER BY 1
    ON CONFLICT (poll_id) DO UPDATE SET version = t.version + 1, voters = t.voters + excluded.voters
), seconds AS (
    INSERT INTO series AS s (poll_id, second, votes)
    SELECT poll_id, second, sum(n) FROM changed GROUP BY 1, 2 HAVING sum(n) <> 0
    ORDER BY 1, 2
    ON CONFLICT (poll_id, second) DO UPDATE SET votes = s.votes + excluded.votes
), replaced AS (
    INSERT INTO set_aside (ballot, poll_id, reason, partition, entry_ms, entry_seq)
    SELECT prev_ballot, poll_id, 'superseded', partition_of(voter, (SELECT partitions FROM deployment)),
        prev_entry_ms, prev_entry_seq
    FROM standing WHERE prev_ballot IS NOT NULL
    ON CONFLICT DO NOTHING
)
