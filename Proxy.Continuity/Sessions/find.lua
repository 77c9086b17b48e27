-- Finds where a session is.
--
-- KEYS[1] continuity:session:<name>
--
-- Returns the holder's address, or nil if nobody's claim lives.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('HMGET', KEYS[1], 'address', 'lease_until')
if (tonumber(record[2] or 0) or 0) <= now then
    return nil
end
return record[1]
