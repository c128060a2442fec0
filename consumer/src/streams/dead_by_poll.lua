#!lua flags=allow-oom
-- Counts the dead letters of one partition by poll.
-- KEYS 1 dead letters; ARGV 1 and 2 milliseconds and sequence of the last entry that is counted, 3 the most letters that
--      are read, 4 words that are in the reason of a letter whose voter has no voting code
-- Reply: {1 if all letters were read, else 0, a poll, its letters, those of them whose reason has the words, another
--        poll, …}. A letter from which no poll can be read is in no number.
local from, read, read_max = '-', 0, tonumber(ARGV[3])
local last_ms, last_seq = tonumber(ARGV[1]), tonumber(ARGV[2])
local letters, without_code, order = {}, {}, {}
while read < read_max do
    local batch = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 256)
    if #batch == 0 then
        break
    end
    for _, letter in ipairs(batch) do
        local ms, seq, reason, poll = nil, nil, '', nil
        local fields = letter[2]
        for i = 1, #fields, 2 do
            if fields[i] == 'entry' then
                ms, seq = string.match(string.sub(fields[i + 1], 1, 40), '^(%d+)-(%d+)$')
                ms, seq = tonumber(ms), tonumber(seq)
            elseif fields[i] == 'reason' then
                reason = fields[i + 1]
            elseif fields[i] == 'original:ballot' and not poll then
                poll = string.match(string.sub(fields[i + 1], 1, 32), '^%d+ (%d+) ')
            end
        end
        if poll and ms and (ms < last_ms or ms == last_ms and seq <= last_seq) then
            if not letters[poll] then
                order[#order + 1] = poll
            end
            letters[poll] = (letters[poll] or 0) + 1
            if string.find(reason, ARGV[4], 1, true) then
                without_code[poll] = (without_code[poll] or 0) + 1
            end
        end
    end
    read = read + #batch
    from = '(' .. batch[#batch][1]
end
local reply = { read < read_max and 1 or 0 }
for _, poll in ipairs(order) do
    reply[#reply + 1] = poll
    reply[#reply + 1] = letters[poll]
    reply[#reply + 1] = without_code[poll] or 0
end
return reply
