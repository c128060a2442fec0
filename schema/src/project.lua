#!lua flags=allow-oom
-- Tells one partition a poll's rules, unless it knows newer ones.
-- KEYS 1 rules; ARGV 1 poll, 2 rules (the revision comes first)
-- Reply: 1 when written, 0 when the partition knows newer ones.
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and tonumber(string.match(known, '^%d+')) > tonumber(string.match(ARGV[2], '^%d+')) then
    return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
