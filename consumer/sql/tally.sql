-- Goes on after `insert.sql` or `upsert.sql`: the tally moves by exactly what these changed, in the same
-- statement.
), changed AS (
    -- A batch holds few distinct choices: group first, expand to options after.
    SELECT poll_id, choices, count(*) AS n FROM standing GROUP BY 1, 2
    UNION ALL
    SELECT poll_id, prev_choices, -count(*) FROM standing WHERE prev_choices IS NOT NULL GROUP BY 1, 2
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
    SELECT poll_id, ms / 1000, sum(n)
    FROM (
        SELECT poll_id, entry_ms AS ms, 1 AS n FROM standing
        UNION ALL
        SELECT poll_id, prev_entry_ms, -1 FROM standing WHERE prev_entry_ms IS NOT NULL
    ) moved
    GROUP BY 1, 2 HAVING sum(n) <> 0
    ORDER BY 1, 2
    ON CONFLICT (poll_id, second) DO UPDATE SET votes = s.votes + excluded.votes
), replaced AS (
    INSERT INTO set_aside (ballot, poll_id, reason)
    SELECT prev_ballot, poll_id, 'superseded' FROM standing WHERE prev_ballot IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT count(*) AS counted, count(prev_ballot) AS replaced FROM standing
