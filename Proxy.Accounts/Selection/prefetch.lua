-- Leases slots for turns that are still to come, as far as there is room to spare: nobody waits for the account, and half of it stays free.
-- Each goes to the account that admit.lua would choose; where that has nothing to spare no more are given, and none of a lower priority.
--
-- KEYS[1]     {pool}:version       KEYS[2] {pool}:generation   KEYS[3] {pool}:leases   KEYS[4] {pool}:reservations
-- KEYS[5]     {pool}:served        zset API key -> when it was given a slot last (ms)
-- KEYS[6..]   {pool}:slots:<account>    zset turn -> end of its lease (ms), one for each of the n candidates
-- KEYS[6+n..] {pool}:waiting:<account>  zset API key -> until when it is known to wait for a slot (ms), one for each candidate
--
-- ARGV[1] lease (ms)   ARGV[2] version the candidates were chosen from   ARGV[3] recovery window (ms)
-- ARGV[4] API key   ARGV[5] number m of turns   ARGV[6..] the turns   ARGV[6+m..] three for each candidate: cap, weight, priority (lower first)
--
-- Returns {'granted', index, index, ...}, one for each of the first turns | {'stale'} | {'recovering'}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if (redis.call('GET', KEYS[1]) or '0') ~= ARGV[2] then
    return {'stale'}
end
-- admit.lua begins to count in an empty Redis.
local since = redis.call('GET', KEYS[2])
if not since or tonumber(since) + tonumber(ARGV[3]) > now then
    return {'recovering'}
end

local count = (#KEYS - 5) / 2
local turns = tonumber(ARGV[5])
local used, wanted = {}, {}
for index = 1, count do
    redis.call('ZREMRANGEBYSCORE', KEYS[5 + index], '-inf', string.format('%.0f', now))
    used[index] = redis.call('ZCARD', KEYS[5 + index])
    wanted[index] = redis.call('ZCOUNT', KEYS[5 + count + index], '(' .. string.format('%.0f', now), '+inf') > 0
end

local function cap(index)
    return tonumber(ARGV[3 + turns + index * 3])
end

local function choose()
    local best, bestLoad, bestPriority
    for index = 1, count do
        if used[index] < cap(index) then
            local load = used[index] / tonumber(ARGV[4 + turns + index * 3])
            local priority = tonumber(ARGV[5 + turns + index * 3])
            if not best or priority < bestPriority or (priority == bestPriority and load < bestLoad) then
                best, bestLoad, bestPriority = index, load, priority
            end
        end
    end
    return best
end

local granted = {'granted'}
local ends = string.format('%.0f', now + tonumber(ARGV[1]))
for turn = 1, turns do
    local best = choose()
    if not best or wanted[best] or (used[best] + 1) * 2 > cap(best) then
        break
    end
    used[best] = used[best] + 1
    redis.call('ZADD', KEYS[5 + best], ends, ARGV[5 + turn])
    redis.call('ZADD', KEYS[3], ends, ARGV[5 + turn])
    -- Nothing is booked where no turn ever came.
    redis.call('HSET', KEYS[4], ARGV[5 + turn], KEYS[5 + best] .. '|')
    redis.call('PEXPIRE', KEYS[5 + best], 86400000)
    granted[#granted + 1] = tostring(best)
end
if #granted > 1 then
    redis.call('ZADD', KEYS[5], string.format('%.0f', now), ARGV[4])
    for index = 3, 5 do
        redis.call('PEXPIRE', KEYS[index], 86400000)
    end
end
return granted
