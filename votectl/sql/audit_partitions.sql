-- The partitions from which votes of a poll came: the low 32 bits of a voter, as VoterId::partition.
SELECT DISTINCT (('x' || right(voter::text, 8))::bit(32)::bigint % $2)::integer AS partition
FROM votes
WHERE poll_id = $1
ORDER BY 1
