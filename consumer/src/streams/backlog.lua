#!lua flags=allow-oom
-- Measures the backlog of one partition in one atomic script, so that the numbers belong to the same moment.
-- KEYS 1 stream, 2 hash of counters, 3 dead letters; ARGV 1 group, 2 field of the count of removed entries
-- Reply: {the lowest entry ID or nil, the milliseconds by which the last generated ID is ahead of the clock, the number
--        of entries ever added or nil}, {the number of removed entries or nil, the stream's bytes, its length}, the
--        reply of XINFO GROUPS or nil, the reply of XPENDING or nil, the number of dead letters.
--
-- It is a script because a full Redis refuses MULTI, and that is when these numbers are wanted. It is not declared as
-- no-writes, so that a server that has become a replica refuses it, as it would refuse our other scripts.
local stream = KEYS[1]

-- Returns the reply, or false where the server answers with an error (no stream, no group).
local function reply_or_false(...)
    local reply = redis.pcall(...)
    return not reply.err and reply
end

local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local ahead_ms, added = 0, false
local info = reply_or_false('XINFO', 'STREAM', stream) or {}
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
    reply_or_false('XINFO', 'GROUPS', stream),
    reply_or_false('XPENDING', stream, ARGV[1]),
    redis.call('XLEN', KEYS[3]),
}
