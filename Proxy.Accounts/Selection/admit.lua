-- Leases a slot for a turn on one of several accounts, exactly: counting and claiming are one step, and so is giving up the slot
-- that the turn holds on another account. A turn holds one slot at any time; where none is given it keeps the one it has.
--
-- KEYS[1]     {pool}:version       mark that changes with every change of accounts and keys
-- KEYS[2]     {pool}:generation    milliseconds at which this Redis' slots began to be counted; missing in an empty Redis
-- KEYS[3]     {pool}:leases        zset turn -> end of its lease (ms)
-- KEYS[4]     {pool}:reservations  hash turn -> slots key | reservation: what a lost turn is booked as
-- KEYS[5..]   {pool}:slots:<account>  zset turn -> end of its lease (ms), one for each of the n candidates
-- KEYS[5 + n] {pool}:slots:<account>  of the account that the turn moves away from, where that is not a candidate; may be missing
--
-- ARGV[1] turn   ARGV[2] lease (ms)   ARGV[3] version the candidates were chosen from   ARGV[4] recovery window (ms)
-- ARGV[5] reservation (JSON)   ARGV[6] index of the preferred candidate, 0 for none
-- ARGV[7..] three for each candidate: cap, weight, priority (lower first)
--
-- Returns {'granted', index} | {'stale', version} | {'recovering', ms left} | {'full'}
--       | {'elsewhere', slots key}: nothing was done, since the turn holds a slot under a key that is not among KEYS
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local turn, lease = ARGV[1], tonumber(ARGV[2])

local version = redis.call('GET', KEYS[1]) or '0'
if version ~= ARGV[3] then
    return {'stale', version}
end

-- An empty Redis does not know the slots in use: edges announce theirs again within the window.
local since = redis.call('GET', KEYS[2])
if not since then
    redis.call('SET', KEYS[2], string.format('%.0f', now))
    since = now
end
local left = tonumber(since) + tonumber(ARGV[4]) - now
if left > 0 then
    return {'recovering', string.format('%.0f', left)}
end

local held = string.match(redis.call('HGET', KEYS[4], turn) or '', '^[^|]*')
local known = held == ''
for i = 5, #KEYS do
    known = known or KEYS[i] == held
end
if not known then
    return {'elsewhere', held}
end

local count = (#ARGV - 6) / 3
local best, bestLoad, bestPriority
for i = 5, 4 + count do
    local index = i - 4
    local cap = tonumber(ARGV[4 + index * 3])
    local weight = tonumber(ARGV[5 + index * 3])
    local priority = tonumber(ARGV[6 + index * 3])
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', string.format('%.0f', now))
    if redis.call('ZSCORE', KEYS[i], turn) then
        best = index
        break
    end
    local used = redis.call('ZCARD', KEYS[i])
    if used < cap then
        if index == tonumber(ARGV[6]) then
            best, bestLoad, bestPriority = index, -1, -math.huge
        else
            local load = used / weight
            if not best or priority < bestPriority or (priority == bestPriority and load < bestLoad) then
                best, bestLoad, bestPriority = index, load, priority
            end
        end
    end
end
if not best then
    return {'full'}
end

if KEYS[5 + count] then
    redis.call('ZREM', KEYS[5 + count], turn)
end
local ends = string.format('%.0f', now + lease)
redis.call('ZADD', KEYS[4 + best], ends, turn)
redis.call('ZADD', KEYS[3], ends, turn)
redis.call('HSET', KEYS[4], turn, KEYS[4 + best] .. '|' .. ARGV[5])
for i, key in ipairs({KEYS[3], KEYS[4], KEYS[4 + best]}) do
    redis.call('PEXPIRE', key, 86400000)
end
return {'granted', tostring(best)}
