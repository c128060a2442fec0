-- Registers the voter of a vote that is in Postgres, unless the register knows the same ballot or a later one.
--
-- KEYS  1 the bucket of the register
-- ARGV  1 voter (16 bytes), 2 the line for the register, 3 and 4 milliseconds and sequence of the vote's entry
-- Reply 1 if it was registered
local standing = redis.call('HGET', KEYS[1], ARGV[1])
if standing then
    local ms, seq = string.match(standing, ' (%d+)%-(%d+)$')
    ms, seq = tonumber(ms or -1), tonumber(seq or -1)
    local own_ms, own_seq = tonumber(ARGV[3]), tonumber(ARGV[4])
    if ms > own_ms or (ms == own_ms and seq >= own_seq) then
        return 0
    end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
