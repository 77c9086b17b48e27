-- Finds where a session is.
--
-- KEYS[1] continuity:session:<name>
--
-- Returns the holder's address, '' if nobody's claim lives, or nil if there is no record.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('HMGET', KEYS[1], 'address', 'lease_until')
if not record[2] then
    return nil
end
return tonumber(record[2]) > now and record[1] or ''
