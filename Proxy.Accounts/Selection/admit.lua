-- Leases a slot for a turn on one of several accounts, exactly: counting and claiming are one step, and so is giving up the slot
-- that the turn holds on another account. A turn holds one slot at any time; where none is given it keeps the one it has.
--
-- Slots are shared by API key: a key may have every slot that nobody else waits for, and leaves one free for each waiting key that was served before it.
--
-- KEYS[1]      {pool}:version       mark that changes with every change of accounts and keys
-- KEYS[2]      {pool}:generation    milliseconds at which this Redis' slots began to be counted; missing in an empty Redis
-- KEYS[3]      {pool}:leases        zset turn -> end of its lease (ms)
-- KEYS[4]      {pool}:reservations  hash turn -> slots key | reservation: what a lost turn is booked as
-- KEYS[5]      {pool}:served        zset API key -> when it was given a slot last (ms)
-- KEYS[6..]    {pool}:slots:<account>    zset turn -> end of its lease (ms), one for each of the n candidates
-- KEYS[6+n..]  {pool}:waiting:<account>  zset API key -> until when it is known to wait for a slot (ms), one for each candidate
-- KEYS[6+2n]   {pool}:slots:<account>    of the account that the turn moves away from, where that is not a candidate; may be missing
--
-- ARGV[1] turn   ARGV[2] lease (ms)   ARGV[3] version the candidates were chosen from   ARGV[4] recovery window (ms)
-- ARGV[5] reservation (JSON)   ARGV[6] index of the preferred candidate, 0 for none
-- ARGV[7] API key   ARGV[8] for how long (ms) the key is known to wait if there is no slot, 0 if the turn does not wait
-- ARGV[9] 1 if more turns of the key wait
-- ARGV[10..] three for each candidate: cap, weight, priority (lower first)
--
-- Returns {'granted', index} | {'stale', version} | {'recovering', ms left} | {'full'}
--       | {'elsewhere', slots key}: nothing was done, since the turn holds a slot under a key that is not among KEYS
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local turn, lease = ARGV[1], tonumber(ARGV[2])
local apiKey = ARGV[7]

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

local count = (#ARGV - 9) / 3
local held = string.match(redis.call('HGET', KEYS[4], turn) or '', '^[^|]*')
local known = held == ''
for i = 6, #KEYS do
    known = known or KEYS[i] == held
end
if not known then
    return {'elsewhere', held}
end

local servedAt
-- How many of the free slots belong to other keys that wait and were served before this one; no more than asked for are counted.
local function reserved(waiting, most)
    local others = redis.call('ZRANGEBYSCORE', waiting, '(' .. string.format('%.0f', now), '+inf')
    local found = 0
    for _, other in ipairs(others) do
        if found >= most then
            break
        end
        if other ~= apiKey then
            servedAt = servedAt or tonumber(redis.call('ZSCORE', KEYS[5], apiKey) or 0)
            if tonumber(redis.call('ZSCORE', KEYS[5], other) or 0) < servedAt then
                found = found + 1
            end
        end
    end
    return found
end

local best, bestLoad, bestPriority
for index = 1, count do
    local slots = KEYS[5 + index]
    local cap = tonumber(ARGV[7 + index * 3])
    local weight = tonumber(ARGV[8 + index * 3])
    local priority = tonumber(ARGV[9 + index * 3])
    redis.call('ZREMRANGEBYSCORE', slots, '-inf', string.format('%.0f', now))
    if redis.call('ZSCORE', slots, turn) then
        best = index
        break
    end
    local used = redis.call('ZCARD', slots)
    if used < cap and reserved(KEYS[5 + count + index], cap - used) < cap - used then
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

for index = 1, count do
    local waiting = KEYS[5 + count + index]
    if not best and tonumber(ARGV[8]) > 0 then
        redis.call('ZREMRANGEBYSCORE', waiting, '-inf', string.format('%.0f', now))
        redis.call('ZADD', waiting, string.format('%.0f', now + tonumber(ARGV[8])), apiKey)
        redis.call('PEXPIRE', waiting, 60000)
    elseif best and ARGV[9] ~= '1' then
        redis.call('ZREM', waiting, apiKey)
    end
end
if not best then
    return {'full'}
end

if KEYS[6 + 2 * count] then
    redis.call('ZREM', KEYS[6 + 2 * count], turn)
end
local ends = string.format('%.0f', now + lease)
redis.call('ZADD', KEYS[5 + best], ends, turn)
redis.call('ZADD', KEYS[3], ends, turn)
redis.call('HSET', KEYS[4], turn, KEYS[5 + best] .. '|' .. ARGV[5])
-- A key that was served an hour ago goes first, like one that never was.
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', string.format('%.0f', now - 3600000))
redis.call('ZADD', KEYS[5], string.format('%.0f', now), apiKey)
for _, key in ipairs({KEYS[3], KEYS[4], KEYS[5], KEYS[5 + best]}) do
    redis.call('PEXPIRE', key, 86400000)
end
return {'granted', tostring(best)}
