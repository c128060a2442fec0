#!lua flags=allow-oom
-- Stores a stamp that was read from Postgres, and removes a mismatch that was noted, unless `votectl resync` has given Redis another
-- epoch since then. KEYS[1]: the keys.rs hash `meta`. ARGV: epoch, generation. Returns 1 if it was stored, else 0.
local known = redis.call('HGET', KEYS[1], 'epoch')
if known and known ~= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'generation', ARGV[2])
redis.call('HDEL', KEYS[1], 'mismatch')
return 1
