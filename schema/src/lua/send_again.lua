-- Appends ballots to their stream once more, each with the entry ID under which it was accepted, and remembers the earliest
-- time of them: a stream may be too long to be searched for it.
-- KEYS 1 stream, 2 sent again; ARGV for each ballot: its payload, and that entry ID
-- Reply: how many were appended.
local function ms_of(id)
    return tonumber(string.match(id, '^(%d+)-%d+$'))
end

local least = tonumber(string.match(redis.call('HGET', KEYS[2], 'until') or '', ' (%d+)$'))
for i = 2, #ARGV, 2 do
    local ms = ms_of(ARGV[i])
    least = math.min(least or ms, ms)
end
local since = string.format(' %.0f', least)
-- Redis rolls nothing back when a later command is refused. So the time is there before the first ballot is, and holds
-- for every entry until the last one is known.
redis.call('HSET', KEYS[2], 'until', '18446744073709551615-0' .. since)
local last
for i = 1, #ARGV, 2 do
    last = redis.call('XADD', KEYS[1], '*', 'ballot', ARGV[i], 'origin', ARGV[i + 1])
end
redis.call('HSET', KEYS[2], 'until', last .. since)
return #ARGV / 2
