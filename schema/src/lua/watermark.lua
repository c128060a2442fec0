#!lua flags=allow-oom
-- Where a stream stands: its position, and how far it is empty.
-- KEYS 1 stream, 2 ballots that `votectl resync` sent again; ARGV 1 fence: 1 or 0, 2 most entries that are counted by poll, 3 bytes after which counting ends
-- Reply: {last ID, entries ever added, length, ID of the oldest entry or '', entries counted, a poll, its ballots,
--        another poll, …}. The ballots are those of the first entries, as far as ARGV 2 and 3 allow. The oldest ID is that
--        under which a ballot first came in, for a ballot that was sent again and is among these entries, or that
--        KEYS 2 says is in the stream.
--
-- With the fence, the last ID of an empty stream is moved to Redis' present time. No later entry can have an ID before
-- it, even if the clock is set back.
local last, added, length = '0-0', 0, 0
if redis.call('EXISTS', KEYS[1]) == 0 then
    return { last, added, length, '', 0 }
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
    redis.call('UNLINK', KEYS[2])
    if ARGV[1] == '1' then
        local time = redis.call('TIME')
        local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
        if now_ms > tonumber(string.match(last, '^%d+')) then
            last = string.format('%.0f-0', now_ms)
            redis.call('XSETID', KEYS[1], last)
        end
    end
    return { last, added, length, '', 0 }
end
local entries_max, bytes_max = tonumber(ARGV[2]), tonumber(ARGV[3])
local oldest, first, counted, bytes, ballots, order = '', '', 0, 0, {}, {}
-- Anybody who may append may append large entries. So the first call reads one entry, and each further call twice as many
-- as the one before it, while they are small.
local from, count = '-', 1
while counted < entries_max and bytes < bytes_max do
    local entries = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', math.min(count, entries_max - counted))
    if #entries == 0 then
        break
    end
    if oldest == '' then
        oldest, first = entries[1][1], entries[1][1]
    end
    for _, entry in ipairs(entries) do
        local fields, poll = entry[2], nil
        for i = 1, #fields, 2 do
            bytes = bytes + #fields[i] + #fields[i + 1]
            if fields[i] == 'ballot' and not poll then
                poll = string.match(string.sub(fields[i + 1], 1, 32), '^%d+ (%d+) ')
            elseif fields[i] == 'origin' then
                -- A ballot that is sent again came in under this earlier ID.
                local ms = tonumber(string.match(string.sub(fields[i + 1], 1, 40), '^(%d+)-%d+$'))
                if ms and ms < tonumber(string.match(oldest, '^%d+')) then
                    oldest = string.format('%.0f-0', ms)
                end
            end
        end
        if poll then
            if not ballots[poll] then
                order[#order + 1] = poll
            end
            ballots[poll] = (ballots[poll] or 0) + 1
        end
    end
    counted = counted + #entries
    from = '(' .. entries[#entries][1]
    count = count * 2
end
-- The ballots that were sent again may lie beyond the entries that were read.
local sent_again = redis.call('HGET', KEYS[2], 'until')
if sent_again then
    local ms, seq, since_ms = string.match(sent_again, '^(%d+)-(%d+) (%d+)$')
    ms, seq, since_ms = tonumber(ms), tonumber(seq), tonumber(since_ms)
    local first_ms, first_seq = string.match(first, '^(%d+)-(%d+)$')
    first_ms, first_seq = tonumber(first_ms), tonumber(first_seq)
    if first_ms > ms or (first_ms == ms and first_seq > seq) then
        redis.call('UNLINK', KEYS[2])
    elseif since_ms < tonumber(string.match(oldest, '^%d+')) then
        oldest = string.format('%.0f-0', since_ms)
    end
end
local reply = { last, added, length, oldest, counted }
for _, poll in ipairs(order) do
    reply[#reply + 1] = poll
    reply[#reply + 1] = ballots[poll]
end
return reply
