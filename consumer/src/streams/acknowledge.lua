#!lua flags=allow-oom
-- Acknowledges entries, removes them, and counts those removed, of all streams in one step.
-- KEYS for each stream: itself, and its accepted; ARGV 1 group, 2 field of the count, then for each
--      stream: how many entry IDs, and these
-- Reply: how many were removed.
--
-- One call, since each one that writes is a flush of Redis' disk.
-- allow-oom: a Redis that is full is emptied by this, and by nothing else. MULTI is refused there.
-- Lua passes some 8,000 arguments at most.
local MANY = 4000
local group, field = ARGV[1], ARGV[2]
local at, removed = 3, 0
for key = 1, #KEYS, 2 do
    local stream, accepted = KEYS[key], KEYS[key + 1]
    local last_of_stream, here = at + tonumber(ARGV[at]), 0
    for first = at + 1, last_of_stream, MANY do
        local last = math.min(last_of_stream, first + MANY - 1)
        redis.call('XACK', stream, group, unpack(ARGV, first, last))
        here = here + redis.call('XDEL', stream, unpack(ARGV, first, last))
    end
    redis.call('HINCRBY', accepted, field, here)
    at, removed = last_of_stream + 1, removed + here
end
return removed
