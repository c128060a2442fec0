#!lua flags=allow-oom
-- Acknowledges entries, removes them, and counts the removed ones, for all streams of a worker in one call.
-- KEYS for each stream: the stream, and its hash of counters; ARGV 1 group, 2 field of the count of removed entries,
--      then for each stream: the number of entry IDs, and the IDs
-- Reply: the number of removed entries.
--
-- One call instead of several, because with appendfsync always each call that writes costs a flush to disk.
-- allow-oom: a full Redis has to run this script, since nothing else makes room. It would refuse MULTI.
-- Redis rolls nothing back when a later command is refused. So entries are removed first: one that is acknowledged
-- and not removed would stay in the stream for ever, since no consumer is given it again. The removed ones are counted
-- even if acknowledging them fails; the next attempt acknowledges them.
-- `unpack` passes about 8,000 arguments at most, so the IDs are passed in chunks of MANY.
local MANY = 4000
local group, field = ARGV[1], ARGV[2]
local at, removed = 3, 0
-- The first error of a command; the script ends with it.
local failure = nil

local function is_refused(reply)
    if type(reply) == 'table' and reply.err then
        failure = failure or reply
        return true
    end
    return false
end

for key = 1, #KEYS, 2 do
    local stream, accepted = KEYS[key], KEYS[key + 1]
    local last_of_stream, here = at + tonumber(ARGV[at]), 0
    for first = at + 1, last_of_stream, MANY do
        local last = math.min(last_of_stream, first + MANY - 1)
        local gone = redis.pcall('XDEL', stream, unpack(ARGV, first, last))
        if is_refused(gone) then
            break
        end
        here = here + gone
        if is_refused(redis.pcall('XACK', stream, group, unpack(ARGV, first, last))) then
            break
        end
    end
    is_refused(redis.pcall('HINCRBY', accepted, field, here))
    if failure then
        return failure
    end
    at, removed = last_of_stream + 1, removed + here
end
return removed
