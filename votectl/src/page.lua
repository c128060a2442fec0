#!lua flags=no-writes
-- A page of a stream, bounded in entries and in bytes. Of an entry that is larger than any ballot its
-- first fields alone are told.
-- KEYS 1 stream; ARGV 1 from where, as XRANGE has it, 2 entries at most, 3 bytes at most, and one entry
--      more, 4 bytes of an entry at most, 5 bytes that a field or value costs beside its own
-- Reply: for each entry its ID, and field names and values, alternating. None: there are no more.
local from, entries_max, left = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local entry_max, overhead = tonumber(ARGV[4]), tonumber(ARGV[5])
local page = {}
while #page < entries_max and left > 0 do
    local entry = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1)[1]
    if not entry then
        break
    end
    local told, bytes = {}, overhead
    for i = 1, #entry[2], 2 do
        local name, value = entry[2][i], entry[2][i + 1]
        if bytes + #name + #value + 2 * overhead > entry_max then
            break
        end
        bytes = bytes + #name + #value + 2 * overhead
        told[i], told[i + 1] = name, value
    end
    left = left - bytes
    page[#page + 1] = { entry[1], told }
    from = '(' .. entry[1]
end
return page
