SELECT taken_at_ms, accepted, counted, replaced, out_of_time, no_such_code, dead, dropped, waiting, unexplained,
    differs_since_ms
FROM accounts WHERE poll_id = $1
