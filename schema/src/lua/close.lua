#!lua flags=allow-oom
-- Sets a closing time in one partition, unless it is too late: no entry may have that time already.
-- KEYS 1 rules, 2 stream; ARGV 1 poll, 2 rules, 3 closing time in milliseconds
-- Reply: 1 if it was set, 0 if it is too late for that time.
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local info = redis.pcall('XINFO', 'STREAM', KEYS[2])
if not info.err then
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then
            now_ms = math.max(now_ms, tonumber(string.match(info[i + 1], '^%d+')))
        end
    end
end
if now_ms >= tonumber(ARGV[3]) then
    return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
