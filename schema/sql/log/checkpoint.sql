-- The signed checkpoint of the log of poll $1 with size $2. If $2 is NULL, the newest one, or the newest one that a witness has
-- signed if $3 is true, with the signatures of witnesses below it. The one of a given size is without them: it is cached for good,
-- and witnesses may sign it later.
SELECT size, root, at_ms, note || coalesce((
    SELECT string_agg(line || E'\n', '' ORDER BY witness)
    FROM log_cosignatures s WHERE s.poll_id = c.poll_id AND s.size = c.size AND $2::int8 IS NULL
), '') AS note
FROM log_checkpoints c
WHERE poll_id = $1 AND note IS NOT NULL AND ($2::int8 IS NULL OR size = $2)
    AND (NOT $3 OR size = (SELECT max(size) FROM log_cosignatures WHERE poll_id = $1))
ORDER BY size DESC
LIMIT 1
