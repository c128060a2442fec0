#!lua flags=no-writes,allow-oom
-- Reads some buckets of a register. Most are empty, and one call is cheaper than one for each bucket.
-- KEYS the buckets
-- Reply: {voter, line, another voter, …}
local lines = {}
for _, bucket in ipairs(KEYS) do
    local found = redis.call('HGETALL', bucket)
    for i = 1, #found do
        lines[#lines + 1] = found[i]
    end
end
return lines
