-- Returns the earliest time, in milliseconds, that the ID of a new entry of one partition can have.
-- KEYS 1 stream
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if not info.err then
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then
            now_ms = math.max(now_ms, tonumber(string.match(info[i + 1], '^%d+')))
        end
    end
end
return now_ms
