-- The ends of a stream, without what its entries hold.
-- KEYS 1 stream
-- Reply: the lowest ID or nothing, by how many milliseconds the last ID given is ahead of the clock,
--        how many entries were ever added or nothing (before Redis 7).
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local ahead_ms, added = 0, false
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if not info.err then
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then
            ahead_ms = math.max(0, tonumber(string.match(info[i + 1], '^%d+')) - now_ms)
        elseif info[i] == 'entries-added' then
            added = info[i + 1]
        end
    end
end
return { first and first[1] or false, string.format('%.0f', ahead_ms), added }
