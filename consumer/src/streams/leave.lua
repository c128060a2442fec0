-- A consumer that stops takes its name along, unless entries are pending under it.
-- KEYS 1 stream; ARGV 1 group, 2 consumer
-- Reply: how many entries stay pending, to be claimed by others.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
if #pending > 0 then
    return redis.call('XPENDING', KEYS[1], ARGV[1])[1]
end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 0
