#!lua flags=allow-oom
-- Acknowledges entries, removes them, and counts those removed, in one step.
-- KEYS 1 stream, 2 accepted; ARGV 1 group, 2 field of the count, then entry IDs
-- Reply: how many were removed.
--
-- allow-oom: a Redis that is full is emptied by this, and by nothing else. MULTI is refused there.
-- Lua passes some 8,000 arguments at most.
local MANY = 4000
local removed = 0
for first = 3, #ARGV, MANY do
    local last = math.min(#ARGV, first + MANY - 1)
    redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, first, last))
    removed = removed + redis.call('XDEL', KEYS[1], unpack(ARGV, first, last))
end
redis.call('HINCRBY', KEYS[2], ARGV[2], removed)
return removed
