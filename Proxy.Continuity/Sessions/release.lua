-- Gives a claim up; the record stays for the account it was on.
--
-- KEYS[1] continuity:session:<name>
-- ARGV[1] holder   ARGV[2] epoch   ARGV[3] lifetime of the record (ms)
--
-- Returns 1, or 0 when the claim has been superseded or is gone: then nothing was changed.
local record = redis.call('HMGET', KEYS[1], 'holder', 'epoch')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[2] then
    return 0
end
-- Without its holder: a renewal that is still on its way must not bring the claim back.
redis.call('HSET', KEYS[1], 'holder', '', 'lease_until', '0')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
