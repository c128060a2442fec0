#!lua flags=allow-oom
-- The state of one partition at one moment, for the audit.
-- KEYS 1 stream, 2 dead letters, 3 hash of counters
-- Reply: {Redis' time in milliseconds, last ID of the stream, ID of its oldest entry or '', its length, number of dead
--        letters, a counter, its value, another counter, …}
--
-- It is not declared as no-writes, so that a server that has become a replica refuses it, as it would refuse our other
-- scripts.
local stream = KEYS[1]
local time = redis.call('TIME')
local last = '0-0'
if redis.call('EXISTS', stream) == 1 then
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then
            last = info[i + 1]
        end
    end
end
local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
local reply = {
    string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)),
    last,
    oldest and oldest[1] or '',
    tostring(redis.call('XLEN', stream)),
    tostring(redis.call('XLEN', KEYS[2])),
}
for _, part in ipairs(redis.call('HGETALL', KEYS[3])) do
    reply[#reply + 1] = part
end
return reply
