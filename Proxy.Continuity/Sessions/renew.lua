-- Renews a claim. A record that is gone is written anew: nobody has claimed the session since. One that is there knows better what it has come to.
--
-- KEYS[1] continuity:session:<name>
-- ARGV[1] holder   ARGV[2] epoch   ARGV[3] address   ARGV[4] lease (ms)   ARGV[5] lifetime of the record (ms)
-- ARGV[6..] fields and their values, for a record that is gone
--
-- Returns 1, or 0 when the claim has been superseded: then nothing was written.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.call('HMGET', KEYS[1], 'holder', 'epoch')

if record[1] and (record[1] ~= ARGV[1] or record[2] ~= ARGV[2]) then
    return 0
end
if not record[1] then
    for i = 6, #ARGV, 2 do
        redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    end
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'epoch', ARGV[2], 'address', ARGV[3], 'lease_until', string.format('%.0f', now + tonumber(ARGV[4])))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
