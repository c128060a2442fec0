-- The public log of poll $1, with its last bundle if that is not full. $2 the entries of a full bundle.
SELECT size, root, entries, first_ms, last_ms
FROM logs LEFT JOIN log_bundles b ON b.poll_id = logs.poll_id AND index = size / $2
WHERE logs.poll_id = $1
