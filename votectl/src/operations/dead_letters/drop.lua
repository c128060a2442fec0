-- Removes a dead letter for good. If it held a ballot, the ballot is counted as dropped beside the accepted
-- ones, so that the audit still balances.
-- KEYS 1 dead letters, 2 accepted; ARGV 1 letter, 2 the field that counts it, empty if it held no ballot
-- Reply: 1 if it was dropped, 0 if there is no such letter, or no longer.
--
-- Redis rolls nothing back when a later command is refused. So the count is tried first, by adding nothing: a letter
-- that is gone and not counted would leave the audit unbalanced for good.
if ARGV[2] ~= '' then
    redis.call('HINCRBY', KEYS[2], ARGV[2], 0)
end
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then
    return 0
end
if ARGV[2] ~= '' then
    redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
end
return 1
