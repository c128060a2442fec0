-- Removes consumers that are gone: nothing pending, and silent for long. Removing one with pending
-- entries would lose them, so both are checked in the same step in which it is removed.
-- KEYS 1 stream; ARGV 1 group, 2 silence in milliseconds
-- Reply: how many were removed.
local removed = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local facts = {}
    for i = 1, #consumer, 2 do
        facts[consumer[i]] = consumer[i + 1]
    end
    if facts.pending == 0 and facts.idle >= tonumber(ARGV[2]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], facts.name)
        removed = removed + 1
    end
end
return removed
