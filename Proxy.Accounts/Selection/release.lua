-- Frees the slots of ended turns. Freeing one twice changes nothing; a turn that has moved away from its account is only told.
--
-- KEYS[1]   {pool}:leases   KEYS[2] {pool}:reservations
-- KEYS[3..] {pool}:slots:<account> of each turn, in the order of the turns
-- ARGV[1..] turns
--
-- Returns turn, slots key, turn, ... : where the turns that have moved hold their slots
local moved = {}
for i = 3, #KEYS do
    local turn = ARGV[i - 2]
    local held = string.match(redis.call('HGET', KEYS[2], turn) or '', '^[^|]*')
    if held ~= '' and held ~= KEYS[i] then
        moved[#moved + 1] = turn
        moved[#moved + 1] = held
    else
        redis.call('ZREM', KEYS[i], turn)
        redis.call('ZREM', KEYS[1], turn)
        redis.call('HDEL', KEYS[2], turn)
    end
end
return moved
