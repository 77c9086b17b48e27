-- Turns whose lease ended some time ago without being settled.
--
-- KEYS[1] {pool}:leases   KEYS[2] {pool}:reservations
-- ARGV[1] how long ago (ms)   ARGV[2] at most so many
--
-- Returns turn, slots key | reservation, turn, ... ; the second is empty where Redis has lost it.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local turns = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[1])), 'LIMIT', 0, tonumber(ARGV[2]))
local found = {}
for _, turn in ipairs(turns) do
    found[#found + 1] = turn
    found[#found + 1] = redis.call('HGET', KEYS[2], turn) or ''
end
return found
