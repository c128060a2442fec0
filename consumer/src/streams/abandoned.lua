#!lua flags=allow-oom
-- Finds entries that the group has passed and that no consumer holds, and makes them pending under this consumer's name.
-- Redis would never deliver them again: somebody deleted their consumer or moved the group's position by hand, or the
-- removal of an acknowledged entry was refused.
-- KEYS 1 stream; ARGV 1 group, 2 consumer, 3 where to start, as XRANGE takes it, 4 the most entries to look at,
--      5 the bytes of entries after which the search ends
-- Reply: {the number of entries that were taken, where to continue or '' at the end, 1 if the position was repaired}
--
-- Delivery, acknowledgement and dead letters are atomic, so an entry that is neither undelivered nor pending now is
-- abandoned, and no consumer is just working on it.
local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local entries_max, bytes_max = tonumber(ARGV[4]), tonumber(ARGV[5])

local function parts(id)
    local ms, seq = string.match(id, '^(%d+)-(%d+)$')
    return tonumber(ms), tonumber(seq)
end

local function is_after(one, other)
    local ms, seq = parts(one)
    local other_ms, other_seq = parts(other)
    return ms > other_ms or (ms == other_ms and seq > other_seq)
end

local delivered, last
for _, facts in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local found = {}
    for i = 1, #facts, 2 do
        found[facts[i]] = facts[i + 1]
    end
    if found.name == group then
        delivered = found['last-delivered-id']
    end
end
if not delivered then
    return { 0, '', 0 }
end
local info = redis.call('XINFO', 'STREAM', stream)
for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
        last = info[i + 1]
    end
end
-- A position beyond the last ID of the stream would hide entries that are added later. Those that are there are found
-- below.
local repaired = 0
if is_after(delivered, last) then
    redis.call('XGROUP', 'SETID', stream, group, last)
    delivered, repaired = last, 1
end

-- Anybody who may append may append large entries. So the first call reads one entry, and each further call twice as many
-- as the one before it, while they are small.
local taken, seen, bytes, from, count = 0, 0, 0, ARGV[3], 1
while seen < entries_max and bytes < bytes_max do
    local entries = redis.call('XRANGE', stream, from, delivered, 'COUNT', math.min(count, entries_max - seen))
    for _, entry in ipairs(entries) do
        for _, part in ipairs(entry[2]) do
            bytes = bytes + #part
        end
        if #redis.call('XPENDING', stream, group, entry[1], entry[1], 1) == 0 then
            redis.call('XCLAIM', stream, group, consumer, 0, entry[1], 'FORCE', 'JUSTID')
            taken = taken + 1
        end
    end
    seen = seen + #entries
    if #entries == 0 then
        return { taken, '', repaired }
    end
    from = '(' .. entries[#entries][1]
    count = count * 2
end
return { taken, from, repaired }
