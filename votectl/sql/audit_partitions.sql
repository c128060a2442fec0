-- Lists the partitions from which the votes of a poll came, by the rule of VoterId::partition: the low 32
-- bits of the voter.
SELECT DISTINCT (('x' || right(voter::text, 8))::bit(32)::bigint % $2)::integer AS partition
FROM votes
WHERE poll_id = $1
ORDER BY 1
