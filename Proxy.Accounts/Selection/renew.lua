-- Renews the leases of one edge; in a Redis that was emptied it announces them again.
--
-- KEYS[1]   {pool}:generation   KEYS[2] {pool}:leases
-- KEYS[3..] {pool}:slots:<account> of each turn, in the order of the turns
-- ARGV[1] lease (ms)   ARGV[2] recovery window (ms)   ARGV[3..] turns
--
-- Returns the turns whose lease had ended: their slots may be taken by others.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = string.format('%.0f', now + tonumber(ARGV[1]))

local since = redis.call('GET', KEYS[1])
if not since then
    since = string.format('%.0f', now)
    redis.call('SET', KEYS[1], since)
end
local recovering = now < tonumber(since) + tonumber(ARGV[2])

local lost = {}
for i = 3, #KEYS do
    local turn = ARGV[i]
    -- A lease past its end that is still there has not been given to anybody: admission removes those first.
    if recovering or redis.call('ZSCORE', KEYS[i], turn) then
        redis.call('ZADD', KEYS[i], ends, turn)
        redis.call('ZADD', KEYS[2], ends, turn)
        redis.call('PEXPIRE', KEYS[i], 86400000)
        redis.call('PEXPIRE', KEYS[2], 86400000)
    -- A turn whose lease runs and whose slot is not here has just moved: its edge learns of it with the answer it waits for.
    elseif tonumber(redis.call('ZSCORE', KEYS[2], turn) or 0) <= now then
        lost[#lost + 1] = turn
    end
end
return lost
