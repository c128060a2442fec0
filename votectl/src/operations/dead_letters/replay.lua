-- Sends a dead letter to the consumers again, once: copies it to the stream and removes it in one step. The
-- entry ID under which it first travelled goes along, and decides whether it came in time.
-- KEYS 1 dead letters, 2 stream; ARGV 1 letter
-- Reply: the new entry's ID, or nil if there is no such letter, or no longer.
local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not letter then
    return nil
end
local fields, origin, entry = {}, false, nil
for i = 1, #letter[2], 2 do
    local name, value = letter[2][i], letter[2][i + 1]
    if string.sub(name, 1, 9) == 'original:' then
        name = string.sub(name, 10)
        origin = origin or name == 'origin'
        fields[#fields + 1] = name
        fields[#fields + 1] = value
    elseif name == 'entry' then
        entry = value
    elseif name == 'truncated' then
        return redis.error_reply('ERR the letter holds only the beginning of its entry, too large for a ballot; drop it')
    elseif name == 'packed' then
        return redis.error_reply('ERR the letter holds thousands of fields, no ballot of ours does; drop it')
    end
end
if not origin then
    if not entry then
        return redis.error_reply('ERR the letter does not say which entry it was; drop it')
    end
    fields[#fields + 1] = 'origin'
    fields[#fields + 1] = entry
end
-- Redis rolls nothing back when a later command is refused, and the letter would be replayed again and again. So the
-- removal is tried first, on a letter that does not exist.
redis.call('XDEL', KEYS[1], '0-0')
local id = redis.call('XADD', KEYS[2], '*', unpack(fields))
redis.call('XDEL', KEYS[1], ARGV[1])
return id
