#!lua flags=allow-oom
-- Writes a poll's rules to one partition, unless it holds newer ones.
-- KEYS 1 rules; ARGV 1 poll, 2 rules (the revision comes first)
-- Reply: 1 if they were written, 0 if the partition holds newer ones.
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and tonumber(string.match(known, '^%d+')) > tonumber(string.match(ARGV[2], '^%d+')) then
    return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
