-- Registers the ballots of one poll and one partition and appends them to the partition's stream, in one
-- atomic step.
--
-- This is the body of a Redis function. `functions.rs` defines these values in front of it, which Rust alone decides:
--   REPLACES              vote policy → whether a newer ballot takes the place of the older one
--   NEEDS_CODE            voter policy → whether a ballot needs a voting code
--   BEFORE_CHOICES_BYTES, AFTER_CHOICES_BYTES  around the choices in a payload, beside the poll's digits
--   TAG_DIGITS            how many of the last digits of a payload, which are random or follow from an idempotency
--                         key, are kept in the register to recognise a ballot that is sent again
--
-- KEYS  1 stream, 2 rules, 3 accepted, 4 the hashes of the poll's voting codes, 5 the voters with a code, as the release
--       before kept them, then each ballot's register bucket
-- ARGV  1 the most entries the stream may hold, 2 poll, 3 arguments per ballot, then these: voter
--       (16 bytes), payload (`1 <poll> <choices> <voter> <ballot>`); where ARGV 3 is 3 or 4 also trace (may be
--       empty); where it is 4 also the hash of the voter's code. `codec.rs` describes the payload
-- Reply The milliseconds of the entries accepted now, the first one's sequence (the others' follow on
--       it) and the number of those that are their voter's first; then each other ballot's position, from 1 on, and
--       R accepted now, in place of the voter's other ballot (its entry is in the sequence, too) |
--       A <entry> accepted before | S <choices> <entry> <tag> another ballot stands | C closed or not yet open |
--       U unknown poll, or a policy that this producer does not know, or a voting code is needed of which it
--       does not know | F the stream is full | B no such voting code | K the standing ballot has the same tag and other choices
--
-- Redis rolls nothing back. So the script undoes the registration of a ballot whose entry is refused, and then ends
-- with that error: a voter is never registered without an entry. The ballots before it in the call stay stored.
--
-- The script makes the entry IDs itself, from Redis' clock and the stream's last ID. So the ID of an
-- accepted entry proves that the ballot came in time.
local stream, rules_key, accepted_key = KEYS[1], KEYS[2], KEYS[3]
local codes_key, codes_key_before = KEYS[4], KEYS[5]
local backlog_max, poll, arguments_per_ballot = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local call, pcall, sub = redis.call, redis.pcall, string.sub

local length, ms, seq = 0, 0, -1
local info = pcall('XINFO', 'STREAM', stream)
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
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if now_ms > ms then
    ms, seq = now_ms, -1
elseif seq >= 2 ^ 52 then
    -- No script of ours writes such a sequence, and a double cannot count exactly beyond it.
    ms, seq = ms + 1, -1
end
-- Formatting a number is slow, and the milliseconds are the same for all entries.
local ms_text = string.format('%.0f', ms)
local entry_start = ms_text .. '-'

local rules = call('HGET', rules_key, poll)
local in_time, replaces, needs_code = false, nil, nil
if rules then
    local opens, closes, votes, voters = string.match(rules, '^%d+ (%d+) (%d+) (%S+) (%S+)$')
    in_time = ms >= tonumber(opens) and ms < tonumber(closes)
    replaces, needs_code = REPLACES[votes], NEEDS_CODE[voters]
end

local choices_first, choices_last = BEFORE_CHOICES_BYTES + #poll + 1, -AFTER_CHOICES_BYTES - 1
local accepted, replaced = 0, 0
-- The first error of a command that writes; no ballot is registered after it.
local failure = nil

local function is_refused(reply)
    if type(reply) == 'table' and reply.err then
        failure = failure or reply
        return true
    end
    return false
end

-- Registers one ballot. Returns nil if it is accepted now or if `failure` is set, else its verdict.
local function register(bucket, voter, payload, trace, code_hash)
    -- A policy of a newer release is refused: taken for another one, it would lose votes.
    if not rules or replaces == nil or needs_code == nil or (needs_code and not code_hash) then
        return 'U'
    end
    -- Right after an update the hashes may not be there yet. Postgres decides which ballots count.
    if needs_code and call('SISMEMBER', codes_key, code_hash) == 0
        and call('SISMEMBER', codes_key_before, voter) == 0 then
        return 'B'
    end
    local entry = entry_start .. string.format('%d', seq + 1)
    -- The tail of the ballot's id distinguishes a repeated attempt from another ballot of the voter.
    local tag = sub(payload, -TAG_DIGITS)
    local choices = sub(payload, choices_first, choices_last)
    local mine = choices .. ' ' .. tag .. ' ' .. entry
    local takes = in_time and length < backlog_max
    local standing = nil
    local is_first = takes and pcall('HSETNX', bucket, voter, mine)
    if is_refused(is_first) then
        return nil
    elseif is_first ~= 1 then
        standing = pcall('HGET', bucket, voter)
        if is_refused(standing) then
            return nil
        elseif standing then
            local its_choices, its_tag, its_entry = string.match(standing, '^(%d+) (%x+) (%S+)$')
            if its_tag == tag then
                return its_choices == choices and 'A ' .. its_entry or 'K'
            elseif not replaces then
                return 'S ' .. its_choices .. ' ' .. its_entry .. ' ' .. its_tag
            end
        end
        if not in_time then
            return 'C'
        elseif not takes then
            return 'F'
        elseif is_refused(pcall('HSET', bucket, voter, mine)) then
            return nil
        end
    end
    local added
    if not trace or trace == '' then
        added = pcall('XADD', stream, entry, 'ballot', payload)
    else
        added = pcall('XADD', stream, entry, 'ballot', payload, 'trace', trace)
    end
    if is_refused(added) then
        if standing then
            pcall('HSET', bucket, voter, standing)
        else
            pcall('HDEL', bucket, voter)
        end
        return nil
    end
    seq = seq + 1
    length = length + 1
    accepted = accepted + 1
    if standing then
        replaced = replaced + 1
        return 'R'
    end
end

local replies = { ms_text, seq + 1, 0 }
for i = 1, #KEYS - 5 do
    local at = 4 + (i - 1) * arguments_per_ballot
    local trace = arguments_per_ballot >= 3 and ARGV[at + 2]
    local code_hash = arguments_per_ballot == 4 and ARGV[at + 3]
    local verdict = register(KEYS[5 + i], ARGV[at], ARGV[at + 1], trace, code_hash)
    if failure then
        break
    elseif verdict then
        replies[#replies + 1] = i
        replies[#replies + 1] = verdict
    end
end
replies[3] = accepted - replaced
if accepted > 0 then
    is_refused(pcall('HINCRBY', accepted_key, poll, accepted))
end
return failure or replies
