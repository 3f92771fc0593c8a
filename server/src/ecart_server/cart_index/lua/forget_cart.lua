-- Removes a cart from its index, unless its entry was written again since it was read; 1 if it was removed.
local key = KEYS[1]
local member, noted_ms = unpack(ARGV)
if redis.call("ZSCORE", key, member) ~= noted_ms then return 0 end
return redis.call("ZREM", key, member)
