-- Takes new voters out of the limits of a client's networks, in one atomic step, and counts those that voted.
--
-- This is the body of a Redis function (`functions.rs`).
--
-- KEYS  1 the networks of the poll
-- ARGV  1 how many new voters are asked for; a negative number gives back what was taken and not used
--       2 how many new voters have voted since the last call
--       3 the most networks that are kept
--       then these of each network, the smallest first: its name, the milliseconds in which it may bring one more new
--       voter, and the milliseconds in which a limit that is used up is whole again
-- Reply How many new voters may vote, and the milliseconds until the next one may.
--
-- Each limit is a leaky bucket that is stored as one number, the time at which it is full again (the generic cell rate
-- algorithm). The value of a network is `<full at> <voters> <first> <last>`; `schema/src/poll/network.rs` reads it.
local call = redis.call
local key = KEYS[1]
local asked, voted, kept_max = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local now_text = string.format('%.0f', math.floor(now))

local networks, granted, wait_ms = {}, asked, 0
for i = 4, #ARGV, 3 do
    local network = { name = ARGV[i], interval = tonumber(ARGV[i + 1]), whole = tonumber(ARGV[i + 2]) }
    local stored = call('HGET', key, network.name)
    network.is_new = not stored
    local full_at, voters, first, last = string.match(stored or '', '^(%S+) (%d+) (%d+) (%d+)$')
    -- A clock that went back must not lock a network out for longer than its limit needs to be whole again.
    network.full_at = math.min(math.max(tonumber(full_at or 0), now), now + network.whole)
    network.voters, network.first, network.last = tonumber(voters or 0), first or now_text, last or now_text
    local left = math.floor((now + network.whole - network.full_at) / network.interval + 0.000001)
    if left < asked and asked > 0 then
        granted = math.max(math.min(granted, left), 0)
    end
    if left < 1 then
        wait_ms = math.max(wait_ms, network.full_at + network.interval - now - network.whole)
    end
    networks[#networks + 1] = network
end

-- Makes room by forgetting the network, of a few, whose limit is whole again first.
local function make_room()
    local some = call('HRANDFIELD', key, 8, 'WITHVALUES')
    local victim, victim_full_at = nil, nil
    for i = 1, #some, 2 do
        local full_at = tonumber(string.match(some[i + 1], '^%S+')) or 0
        if not victim or full_at < victim_full_at then
            victim, victim_full_at = some[i], full_at
        end
    end
    if victim then
        call('HDEL', key, victim)
    end
end

if granted ~= 0 or voted > 0 then
    for _, network in ipairs(networks) do
        if network.is_new and call('HLEN', key) >= kept_max then
            make_room()
        end
        local last = voted > 0 and now_text or network.last
        call('HSET', key, network.name, string.format('%.3f %.0f %s %s', network.full_at + granted * network.interval,
            network.voters + voted, network.first, last))
    end
end
return { granted, math.ceil(wait_ms) }
