-- The public keys: the one that signs first, then those that consumers had last.
SELECT public_key FROM log_keys ORDER BY signs DESC, last_ms DESC, public_key LIMIT 64
