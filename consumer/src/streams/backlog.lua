#!lua flags=allow-oom
-- How much is under way in one partition, all measured in one step, for the numbers to fit together.
-- KEYS 1 stream, 2 accepted, 3 dead letters; ARGV 1 group, 2 field of the count of entries removed
-- Reply: {the lowest ID or nothing, by how many milliseconds the last ID given is ahead of the clock, how many
--        entries were ever added or nothing}, {how many were removed or nothing, the stream's bytes, its
--        length}, what XINFO GROUPS tells or nothing, what XPENDING tells or nothing, the number of dead letters.
--
-- A script, since a Redis that is full refuses MULTI, just when these numbers are wanted. It does not say that it
-- writes nothing, so that a Redis that takes no writes, another's replica by now, refuses it as it does ours.
local stream = KEYS[1]

local function told(...)
    local reply = redis.pcall(...)
    return not reply.err and reply
end

local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local ahead_ms, added = 0, false
local info = told('XINFO', 'STREAM', stream) or {}
for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
        ahead_ms = math.max(0, tonumber(string.match(info[i + 1], '^%d+')) - now_ms)
    elseif info[i] == 'entries-added' then
        added = info[i + 1]
    end
end
local bytes = redis.call('MEMORY', 'USAGE', stream) or 0
return {
    { first and first[1] or false, string.format('%.0f', ahead_ms), added },
    { redis.call('HGET', KEYS[2], ARGV[2]), bytes, redis.call('XLEN', stream) },
    told('XINFO', 'GROUPS', stream),
    told('XPENDING', stream, ARGV[1]),
    redis.call('XLEN', KEYS[3]),
}
