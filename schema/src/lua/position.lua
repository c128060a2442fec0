#!lua flags=allow-oom
-- The position of a stream. The script does not say that it only reads, so that a server which has become a replica,
-- and may be behind, refuses it as it refuses writes.
-- KEYS 1 stream
-- Reply: {the last ID, the number of entries ever added}.
if redis.call('EXISTS', KEYS[1]) == 0 then
    return { '0-0', 0 }
end
local position = { '0-0', 0 }
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
        position[1] = info[i + 1]
    elseif info[i] == 'entries-added' then
        position[2] = info[i + 1]
    end
end
return position
