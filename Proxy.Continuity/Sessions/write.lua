-- Writes what a session has come to, and renews its claim. A record that is gone, or was not there yet, is written anew.
--
-- KEYS[1] continuity:session:<name>
-- ARGV[1] holder   ARGV[2] epoch   ARGV[3] address   ARGV[4] lease (ms)   ARGV[5] lifetime of the record (ms)
-- ARGV[6] account   ARGV[7..] fields and their values
--
-- Returns 1, or 0 when the claim has been superseded: then nothing was written.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('HMGET', KEYS[1], 'holder', 'epoch', 'account')

if record[1] and (record[1] ~= ARGV[1] or record[2] ~= ARGV[2]) then
    return 0
end
-- What one account has given is worth nothing on another.
if record[3] and record[3] ~= ARGV[6] then
    redis.call('HDEL', KEYS[1], 'turn_state', 'response', 'stored')
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'epoch', ARGV[2], 'address', ARGV[3], 'lease_until', string.format('%.0f', now + tonumber(ARGV[4])), 'account', ARGV[6])
for i = 7, #ARGV, 2 do
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
