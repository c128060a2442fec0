-- Counts a batch: at most one row per (poll, voter), sorted by it, so that no two replicas deadlock.
-- The upsert itself returns what it replaced; the tally moves by exactly that, in this statement.
WITH standing AS (
    INSERT INTO votes AS v (poll_id, voter, choices, entry_ms, entry_seq, ballot)
    SELECT * FROM unnest($1::int4[], $2::uuid[], $3::int8[], $4::int8[], $5::int8[], $6::uuid[])
    ON CONFLICT (poll_id, voter) DO UPDATE SET
        prev_choices = v.choices, prev_entry_ms = v.entry_ms, prev_ballot = v.ballot,
        choices = excluded.choices, entry_ms = excluded.entry_ms, entry_seq = excluded.entry_seq,
        ballot = excluded.ballot
    WHERE v.ballot <> excluded.ballot
      AND CASE (SELECT vote_policy FROM polls WHERE id = excluded.poll_id)
          WHEN 'replace' THEN
              (excluded.entry_ms, excluded.entry_seq, excluded.ballot) > (v.entry_ms, v.entry_seq, v.ballot)
          ELSE
              (excluded.entry_ms, excluded.entry_seq, excluded.ballot) < (v.entry_ms, v.entry_seq, v.ballot)
          END
      AND NOT EXISTS (SELECT FROM set_aside a WHERE a.ballot = excluded.ballot)
    RETURNING poll_id, choices, entry_ms, prev_choices, prev_entry_ms, prev_ballot
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
