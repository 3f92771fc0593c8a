-- Forgets a cart in its index, unless it was noted again since it was looked at; 1 if it was forgotten.
local key = KEYS[1]
local member, noted_ms = unpack(ARGV)
if redis.call("ZSCORE", key, member) ~= noted_ms then return 0 end
return redis.call("ZREM", key, member)
