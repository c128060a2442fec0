-- Fetches entries that are pending under a consumer's name, within bounds. For an entry that is larger than any ballot
-- it returns only the size, and it stops when the reply as a whole is large enough.
-- KEYS 1 stream; ARGV 1 group, 2 consumer, 3 the most bytes of one entry, 4 the most bytes of all entries, 5 the bytes
--      that a field name or value costs in addition to its own, then entry IDs
-- Reply: for each ID, in order, until the bytes are used up: the ID and its fields; or the ID and its size in bytes, if
--        the entry is too large; or the ID and nil, if the entry was deleted. IDs that are no longer pending under this
--        name are left out.
-- Like XREADGROUP and XCLAIM, it raises the delivery counter of every entry that it returns.
local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local entry_max, left, overhead = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local found = {}
for i = 6, #ARGV do
    local id = ARGV[i]
    local pending = redis.call('XPENDING', stream, group, id, id, 1, consumer)[1]
    if pending then
        local entry = redis.call('XRANGE', stream, id, id)[1]
        if entry then
            local bytes = 0
            for _, part in ipairs(entry[2]) do
                bytes = bytes + #part + overhead
            end
            local small = bytes <= entry_max
            left = left - (small and bytes or overhead)
            found[#found + 1] = { id, small and entry[2] or bytes }
            redis.call('XCLAIM', stream, group, consumer, 0, id, 'RETRYCOUNT', pending[4] + 1, 'JUSTID')
        else
            found[#found + 1] = { id, false }
        end
        if left <= 0 then
            break
        end
    end
end
return found
