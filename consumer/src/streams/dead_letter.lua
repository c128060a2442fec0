#!lua flags=allow-oom
-- Moves one entry to the dead letters: copies, acknowledges and removes it in one atomic script. The entry's fields
-- never leave Redis.
-- KEYS 1 stream, 2 dead letters, 3 hash of counters; ARGV 1 group, 2 entry ID, 3 reason, 4 field of the count of
--      removed entries
-- Reply: 1 when moved, 0 when an earlier attempt had acknowledged the entry already.
--
-- `unpack` passes about 8,000 arguments at most. Fields beyond the first MANY go into one field, `packed`: a
-- MessagePack list of names and values, alternating. An entry larger than KEPT_BYTES_MAX keeps only the beginnings of
-- its first fields, and its size in the field `truncated`.
local MANY, KEPT_BYTES_MAX, KEPT_FIELDS, KEPT_FIELD_BYTES = 2000, 2 * 1024 * 1024, 16, 256
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 then
    return 0
end
local letter = { 'reason', ARGV[3], 'entry', ARGV[2], 'deliveries', pending[1][4] }
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
local fields, bytes = entry and entry[2] or {}, 0
for _, part in ipairs(fields) do
    bytes = bytes + #part
end
local last = math.min(#fields, 2 * MANY)
if bytes > KEPT_BYTES_MAX then
    last = math.min(#fields, 2 * KEPT_FIELDS)
end
for i = 1, last, 2 do
    local name, value = fields[i], fields[i + 1]
    if bytes > KEPT_BYTES_MAX then
        name, value = string.sub(name, 1, KEPT_FIELD_BYTES), string.sub(value, 1, KEPT_FIELD_BYTES)
    end
    letter[#letter + 1] = 'original:' .. name
    letter[#letter + 1] = value
end
if bytes > KEPT_BYTES_MAX then
    letter[#letter + 1] = 'truncated'
    letter[#letter + 1] = string.format('%d bytes in %d fields', bytes, #fields / 2)
elseif last < #fields then
    local rest = {}
    for i = last + 1, #fields do
        rest[#rest + 1] = fields[i]
    end
    letter[#letter + 1] = 'packed'
    letter[#letter + 1] = cmsgpack.pack(rest)
end
-- Redis rolls nothing back when a later command is refused, and the next attempt would add the letter a second time.
-- So the later commands are tried first, on an entry that does not exist: they change nothing, or end the script.
redis.call('XACK', KEYS[1], ARGV[1], '0-0')
redis.call('XDEL', KEYS[1], '0-0')
redis.call('HINCRBY', KEYS[3], ARGV[4], 0)
redis.call('XADD', KEYS[2], '*', unpack(letter))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('HINCRBY', KEYS[3], ARGV[4], redis.call('XDEL', KEYS[1], ARGV[2]))
return 1
