-- Moves one entry to the dead letters: copied, acknowledged and removed in one step.
-- KEYS 1 stream, 2 dead letters, 3 accepted (where entries removed are counted); ARGV 1 group, 2 entry ID, 3 reason, then its fields
-- Reply: 1 when moved, 0 when the entry was acknowledged before (by an earlier attempt).
--
-- Lua passes some 8,000 arguments at most. Fields beyond MANY go packed into one, `packed`: a
-- MessagePack list of names and values, alternating.
local MANY = 2000
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 then
    return 0
end
local letter = { 'reason', ARGV[3], 'entry', ARGV[2], 'deliveries', pending[1][4] }
local last = math.min(#ARGV, 3 + 2 * MANY)
for i = 4, last, 2 do
    letter[#letter + 1] = 'original:' .. ARGV[i]
    letter[#letter + 1] = ARGV[i + 1]
end
if last < #ARGV then
    local rest = {}
    for i = last + 1, #ARGV do
        rest[#rest + 1] = ARGV[i]
    end
    letter[#letter + 1] = 'packed'
    letter[#letter + 1] = cmsgpack.pack(rest)
end
redis.call('XADD', KEYS[2], '*', unpack(letter))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('HINCRBY', KEYS[3], 'removed', redis.call('XDEL', KEYS[1], ARGV[2]))
return 1
