-- Witness $1 is asked again to sign the log of poll $2 after $3 seconds.
UPDATE log_witnesses SET free_at = clock_timestamp() + $3 * interval '1 second' WHERE witness = $1 AND poll_id = $2
