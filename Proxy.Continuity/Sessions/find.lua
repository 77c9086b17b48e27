-- Finds where a session is. A claim whose time is over counts until another one is made: its holder may be alive and only unable to renew it.
--
-- KEYS[1] continuity:session:<name>
--
-- Returns the holder's address, '' if the claim was given up, or nil if there is no record.
local record = redis.call('HMGET', KEYS[1], 'holder', 'address')
if not record[1] then
    return nil
end
return record[1] ~= '' and record[2] or ''
