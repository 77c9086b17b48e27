-- Frees the slots of ended turns. Freeing one twice changes nothing.
--
-- KEYS[1]   {pool}:leases   KEYS[2] {pool}:reservations
-- KEYS[3..] {pool}:slots:<account> of each turn, in the order of the turns
-- ARGV[1..] turns
--
-- Returns how many slots were freed.
local freed = 0
for i = 3, #KEYS do
    local turn = ARGV[i - 2]
    freed = freed + redis.call('ZREM', KEYS[i], turn)
    redis.call('ZREM', KEYS[1], turn)
    redis.call('HDEL', KEYS[2], turn)
end
return freed
