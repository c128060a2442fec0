#!lua flags=allow-oom
-- Creates a missing group, and its stream if necessary. The group reads from the very first entry.
-- KEYS 1 stream; ARGV 1 group
-- Reply: 1 when the group was created, 0 when it existed.
--
-- allow-oom: a full Redis that lacks the group has to run this, since only the group's consumers make room.
local reply = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if reply.err and not string.find(reply.err, 'BUSYGROUP') then
    return reply
end
return reply.err and 0 or 1
