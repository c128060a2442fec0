-- Fetches entries that are pending under a consumer's name, within bounds: of one that is larger than
-- any ballot only its size is told, and the reply as a whole is bounded too.
-- KEYS 1 stream; ARGV 1 group, 2 consumer, 3 bytes of an entry at most, 4 bytes of all at most, 5 bytes
--      that a field costs beside its own, then entry IDs
-- Reply: for each ID in order, until there is enough: the ID and its fields; the ID and its size in
--        bytes, if it is larger than an entry may be; the ID and nothing, if it was deleted. IDs that
--        are no longer pending under this name are left out.
-- As XREADGROUP and XCLAIM do, it raises the delivery counter of what it hands out.
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
