#!lua flags=allow-oom
-- Where a stream stands: its position, and how far it is empty.
-- KEYS 1 stream; ARGV 1 fence: 1 or 0, 2 most entries that are counted by poll
-- Reply: {last ID, entries ever added, length, ID of the oldest entry or '', a poll, its ballots, another poll, …}. The
--        ballots are those of the first entries, as many as ARGV 2 allows.
--
-- With the fence, the last ID of an empty stream is moved to Redis' present time. No later entry can have an ID before
-- it, even if the clock is set back.
local last, added, length = '0-0', 0, 0
if redis.call('EXISTS', KEYS[1]) == 0 then
    return { last, added, length, '' }
end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
        last = info[i + 1]
    elseif info[i] == 'entries-added' then
        added = info[i + 1]
    elseif info[i] == 'length' then
        length = info[i + 1]
    end
end
if length == 0 then
    if ARGV[1] == '1' then
        local time = redis.call('TIME')
        local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
        if now_ms > tonumber(string.match(last, '^%d+')) then
            last = string.format('%.0f-0', now_ms)
            redis.call('XSETID', KEYS[1], last)
        end
    end
    return { last, added, length, '' }
end
local entries = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[2])
local reply, ballots, order = { last, added, length, entries[1][1] }, {}, {}
for _, entry in ipairs(entries) do
    local fields = entry[2]
    for i = 1, #fields, 2 do
        if fields[i] == 'ballot' then
            local poll = string.match(fields[i + 1], '^%d+ (%d+) ')
            if poll then
                if not ballots[poll] then
                    order[#order + 1] = poll
                end
                ballots[poll] = (ballots[poll] or 0) + 1
            end
            break
        end
    end
end
for _, poll in ipairs(order) do
    reply[#reply + 1] = poll
    reply[#reply + 1] = ballots[poll]
end
return reply
