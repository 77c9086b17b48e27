-- Claims a session for an edge, unless another one's claim lives.
--
-- KEYS[1] continuity:session:<name>   hash: holder, epoch, address, lease_until (ms), key, account, domain, turn_state, response, stored
-- ARGV[1] holder   ARGV[2] address   ARGV[3] lease (ms)   ARGV[4] lifetime of the record (ms)
--
-- Returns {holder, epoch, address, account or '', domain or ''}: the asking holder's, or those of the claim that lives.
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local record = redis.call('HMGET', KEYS[1], 'holder', 'epoch', 'address', 'lease_until', 'account', 'domain')
local holder, epoch, address = record[1], record[2], record[3]

if holder ~= ARGV[1] then
    if (tonumber(record[4] or 0) or 0) > now then
        return {holder, epoch, address, record[5] or '', record[6] or ''}
    end
    -- After a loss of writes the stored epoch may repeat; the clock goes on.
    epoch = string.format('%.0f', math.max((tonumber(epoch or 0) or 0) + 1, micros))
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'epoch', epoch, 'address', ARGV[2], 'lease_until', string.format('%.0f', now + tonumber(ARGV[3])))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {ARGV[1], epoch, ARGV[2], record[5] or '', record[6] or ''}
