#!lua flags=allow-oom
-- Creates the group where it is missing, from the very first entry on, and the stream with it.
-- KEYS 1 stream; ARGV 1 group
-- Reply: 1 when it was created, 0 when it was there.
--
-- allow-oom: without its group a Redis that is full would never be emptied.
local reply = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if reply.err and not string.find(reply.err, 'BUSYGROUP') then
    return reply
end
return reply.err and 0 or 1
