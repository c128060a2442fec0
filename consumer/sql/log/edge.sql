-- The tiles $2 and $3 (level and index) of poll $1.
SELECT level, index, hashes
FROM log_tiles JOIN unnest($2::int2[], $3::int8[]) AS wanted (level, index) USING (level, index)
WHERE poll_id = $1
