#!lua flags=no-writes
-- Reads a page of a stream, bounded in entries and in bytes. An entry that is larger than any ballot is
-- returned with its first fields only.
-- KEYS 1 stream; ARGV 1 where to start, as XRANGE takes it, 2 the most entries, 3 the bytes after which
--      the page ends, 4 the most bytes of an entry, 5 bytes that a name or value costs beside its own
-- Reply: for each entry its ID, and its field names and values, alternating. An empty reply means that
--        no entry is left.
local from, entries_max, left = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local entry_max, overhead = tonumber(ARGV[4]), tonumber(ARGV[5])
local page = {}
while #page < entries_max and left > 0 do
    local entry = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1)[1]
    if not entry then
        break
    end
    local fields, bytes = {}, overhead
    for i = 1, #entry[2], 2 do
        local name, value = entry[2][i], entry[2][i + 1]
        if bytes + #name + #value + 2 * overhead > entry_max then
            break
        end
        bytes = bytes + #name + #value + 2 * overhead
        fields[i], fields[i + 1] = name, value
    end
    left = left - bytes
    page[#page + 1] = { entry[1], fields }
    from = '(' .. entry[1]
end
return page
