#!lua flags=allow-oom
-- Acknowledges entries, removes them, and counts the removed ones, for all streams of a worker in one call.
-- KEYS for each stream: the stream, and its hash of counters; ARGV 1 group, 2 field of the count of removed entries,
--      then for each stream: the number of entry IDs, and the IDs
-- Reply: the number of removed entries.
--
-- One call instead of several, because with appendfsync always each call that writes costs a flush to disk.
-- allow-oom: a full Redis has to run this script, since nothing else makes room. It would refuse MULTI.
-- Redis rolls nothing back when a later command is refused. So the count is tried first, by adding nothing, and an entry
-- is acknowledged last: one that is acknowledged and not removed would stay in the stream for ever, because no consumer
-- gets it again. If only the acknowledging is refused, the next attempt makes up for it.
-- `unpack` passes about 8,000 arguments at most, so the IDs are passed in chunks of MANY.
local MANY = 4000
local group, field = ARGV[1], ARGV[2]
local at, removed = 3, 0
for key = 1, #KEYS, 2 do
    local stream, accepted = KEYS[key], KEYS[key + 1]
    local last_of_stream, here = at + tonumber(ARGV[at]), 0
    redis.call('HINCRBY', accepted, field, 0)
    for first = at + 1, last_of_stream, MANY do
        local last = math.min(last_of_stream, first + MANY - 1)
        here = here + redis.call('XDEL', stream, unpack(ARGV, first, last))
    end
    redis.call('HINCRBY', accepted, field, here)
    for first = at + 1, last_of_stream, MANY do
        local last = math.min(last_of_stream, first + MANY - 1)
        redis.call('XACK', stream, group, unpack(ARGV, first, last))
    end
    at, removed = last_of_stream + 1, removed + here
end
return removed
