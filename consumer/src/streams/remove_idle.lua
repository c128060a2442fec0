-- Removes consumers that have no pending entries and were idle for long. Removing one with pending entries would lose
-- them, so the check and the removal are one atomic script.
-- KEYS 1 stream; ARGV 1 group, 2 idle time in milliseconds
-- Reply: the number of removed consumers.
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
