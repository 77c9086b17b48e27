-- Makes an account the scope's, unless a newer turn has bound the scope already.
--
-- KEYS[1] continuity:scope:<hash>
-- ARGV[1] account and domain   ARGV[2] when the turn was accepted (ms)   ARGV[3] lifetime (ms)
--
-- Returns 1, or 0 when a newer turn was there first: then nothing was written.
local current = redis.call('GET', KEYS[1])
local bound = current and string.match(current, '\n(%d+)$')
if bound and tonumber(bound) > tonumber(ARGV[2]) then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1] .. '\n' .. ARGV[2], 'PX', ARGV[3])
return 1
