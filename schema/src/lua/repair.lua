#!lua flags=allow-oom
-- Replaces one field of a copy that differs from Postgres, if it still holds the value that was compared.
-- KEYS 1 hash; ARGV 1 field, 2 the value that was compared, 3 the right value; without it the field is removed
-- Reply: 1 if the field was changed, 0 if it holds another value now.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
    return 0
end
if ARGV[3] then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
else
    redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
