-- Registers ballots of one partition and appends them to its stream, all or nothing, in one step.
--
-- KEYS  1 stream, 2 rules, 3 accepted, then per ballot: its register bucket and, where ARGV 2 is 2,
--       its poll's codes
-- ARGV  1 the most entries the stream may hold, 2 keys per ballot, 3 arguments per ballot, then these:
--       voter (16 bytes), poll, choices, payload (which ends with the ballot's id) and, where
--       ARGV 3 is 5, trace (may be empty)
-- Reply per ballot, each starting with a letter:
--       A <entry> accepted | S <choices> <entry> another choice stands | C closed or not yet open
--       U unknown poll | F the stream is full | B no such voting code
--
-- Ids are made here, from Redis' clock and the stream's last ID, so that the very ID of an accepted
-- entry proves that it came in time.
local stream, rules_key, accepted_key = KEYS[1], KEYS[2], KEYS[3]
local backlog_max = tonumber(ARGV[1])
local keys_per_ballot, arguments_per_ballot = tonumber(ARGV[2]), tonumber(ARGV[3])

local length, ms, seq = 0, 0, -1
local info = redis.pcall('XINFO', 'STREAM', stream)
if not info.err then
    for i = 1, #info, 2 do
        if info[i] == 'length' then
            length = info[i + 1]
        elseif info[i] == 'last-generated-id' then
            local last_ms, last_seq = string.match(info[i + 1], '^(%d+)-(%d+)$')
            ms, seq = tonumber(last_ms), tonumber(last_seq)
        end
    end
end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if now_ms > ms then
    ms, seq = now_ms, -1
end
-- Formatting a double is dear; the milliseconds are the same for all.
local ms_text = string.format('%.0f-', ms)

local known = {}
local function rules_of(poll)
    local rules = known[poll]
    if rules == nil then
        local text = redis.call('HGET', rules_key, poll)
        rules = false
        if text then
            local opens, closes, votes, voters = string.match(text, '^%d+ (%d+) (%d+) (%S+) (%S+)$')
            rules = {
                in_time = ms >= tonumber(opens) and ms < tonumber(closes),
                keep_first = votes == 'keep_first',
                needs_code = voters == 'code',
                accepted = 0,
            }
        end
        known[poll] = rules
    end
    return rules
end

local function register(rules, bucket, codes, voter, choices, payload, trace)
    if not rules then
        return 'U'
    end
    if rules.needs_code and (not codes or redis.call('SISMEMBER', codes, voter) == 0) then
        return 'B'
    end
    local entry = ms_text .. string.format('%d', seq + 1)
    -- Tells a repeated attempt from another ballot of the same voter: the random tail of its id.
    local tag = string.sub(payload, -8)
    local mine = choices .. ' ' .. tag .. ' ' .. entry
    local takes = rules.in_time and length < backlog_max
    if not takes or redis.call('HSETNX', bucket, voter, mine) == 0 then
        local standing = redis.call('HGET', bucket, voter)
        if standing then
            local its_choices, its_tag, its_entry = string.match(standing, '^(%d+) (%x+) (%S+)$')
            if its_tag == tag then
                return 'A ' .. its_entry
            elseif rules.keep_first then
                return 'S ' .. its_choices .. ' ' .. its_entry
            end
        end
        if not rules.in_time then
            return 'C'
        elseif not takes then
            return 'F'
        end
        redis.call('HSET', bucket, voter, mine)
    end
    if not trace or trace == '' then
        redis.call('XADD', stream, entry, 'ballot', payload)
    else
        redis.call('XADD', stream, entry, 'ballot', payload, 'trace', trace)
    end
    seq = seq + 1
    length = length + 1
    rules.accepted = rules.accepted + 1
    return 'A ' .. entry
end

local replies = {}
for i = 1, (#ARGV - 3) / arguments_per_ballot do
    local key = 4 + (i - 1) * keys_per_ballot
    local codes = keys_per_ballot == 2 and KEYS[key + 1]
    local at = 4 + (i - 1) * arguments_per_ballot
    local poll = ARGV[at + 1]
    local trace = arguments_per_ballot == 5 and ARGV[at + 4]
    replies[i] =
        register(rules_of(poll), KEYS[key], codes, ARGV[at], ARGV[at + 2], ARGV[at + 3], trace)
end
for poll, rules in pairs(known) do
    if rules and rules.accepted > 0 then
        redis.call('HINCRBY', accepted_key, poll, rules.accepted)
    end
end
return replies
