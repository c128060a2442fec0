-- Removes buckets of a poll's register, if the poll closed long enough ago: by the rules of this
-- partition, which learn of a later closing time first, and by Redis' own clock.
-- KEYS 1 rules, 2 forgotten, then the buckets; ARGV 1 poll, 2 how long a register is kept after its
--      poll has closed, in milliseconds, 3 whether these buckets are the last: 1 or 0
-- Reply: 1 if they were removed, 0 if it is too early.
local rules = redis.call('HGET', KEYS[1], ARGV[1])
local closes = rules and string.match(rules, '^%d+ %d+ (%d+)')
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if not closes or now_ms < tonumber(closes) + tonumber(ARGV[2]) then
    return 0
end
-- Redis rolls nothing back when a later command is refused. So the mark comes first, and goes again if the buckets
-- stay: a poll without its register and without the mark would be taken for one that Redis has lost.
local known = redis.call('HGET', KEYS[2], ARGV[1])
if ARGV[3] == '1' then
    redis.call('HSET', KEYS[2], ARGV[1], closes)
end
local removed = redis.pcall('UNLINK', unpack(KEYS, 3))
if type(removed) == 'table' and removed.err then
    if not known then
        redis.call('HDEL', KEYS[2], ARGV[1])
    end
    return removed
end
return 1
