#!lua flags=allow-oom
-- Starts the count of removed entries. A stream that is older than the count starts with all entries that were added
-- and are gone. So does a stream that somebody deleted and that began again: its count is higher than what was added.
-- KEYS 1 stream, 2 hash of counters; ARGV 1 field of the count
-- Reply: the count.
local facts = {}
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
    facts[info[i]] = info[i + 1]
end
local gone = facts['entries-added'] - facts.length
local removed = tonumber(redis.call('HGET', KEYS[2], ARGV[1]))
if not removed or removed > gone then
    removed = gone
    redis.call('HSET', KEYS[2], ARGV[1], removed)
end
return removed
