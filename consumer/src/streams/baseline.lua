#!lua flags=allow-oom
-- Where to start counting what was removed: a stream that is older than the count begins with all that
-- it lacks. So does one that somebody deleted and that began anew: more was removed than ever added.
-- KEYS 1 stream, 2 accepted; ARGV 1 field of the count
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
