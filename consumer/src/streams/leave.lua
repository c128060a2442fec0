-- Removes a consumer that stops from its group, unless entries are pending under its name.
-- KEYS 1 stream; ARGV 1 group, 2 consumer
-- Reply: 0 when it was removed, else the number of entries that are pending in the group.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
if #pending > 0 then
    return redis.call('XPENDING', KEYS[1], ARGV[1])[1]
end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 0
