-- Reads tallies, and how far counting has come, at one moment: whoever sees a watermark sees the votes up to it.
SELECT p.poll_id, p.version, p.voters,
       ARRAY(SELECT t.votes FROM tally t WHERE t.poll_id = p.poll_id ORDER BY t.position) AS votes,
       g.complete_to_ms,
       CASE WHEN g.waiting_by_poll IS NOT NULL
            THEN coalesce((g.waiting_by_poll ->> p.poll_id::text)::int8, 0) END AS waiting,
       g.mismatch
FROM poll_tally p, progress g
WHERE p.poll_id = ANY($1)
