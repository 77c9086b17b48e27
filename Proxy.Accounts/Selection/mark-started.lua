-- What turns are booked as that run in slots which were prefetched, should they be lost. A turn that has ended, or moved, is left alone.
-- And for which of some accounts somebody waits.
--
-- KEYS[1] {pool}:reservations
-- KEYS[2..]   {pool}:slots:<account>    of each of the n turns
-- KEYS[2+n..] {pool}:waiting:<account>  of each account that is asked for
-- ARGV[1] number n of turns   ARGV[2..] two for each turn: the turn, its reservation (JSON)
--
-- Returns '1' or '0' for each account that is asked for
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local count = tonumber(ARGV[1])
for index = 1, count do
    local turn, slots = ARGV[index * 2], KEYS[1 + index]
    if redis.call('HGET', KEYS[1], turn) == slots .. '|' then
        redis.call('HSET', KEYS[1], turn, slots .. '|' .. ARGV[1 + index * 2])
    end
end
local wanted = {}
for index = 2 + count, #KEYS do
    wanted[#wanted + 1] = redis.call('ZCOUNT', KEYS[index], '(' .. string.format('%.0f', now), '+inf') > 0 and '1' or '0'
end
return wanted
