-- Refuses a merge for good: whoever tries it again hears the same, so that the source can open safely.
old = old or {}
redis.call("HDEL", key, "!", unpack(old, 1, math.min(1000, #old)))
for i = 1001, #old, 1000 do
  redis.call("HDEL", key, unpack(old, i, math.min(i + 999, #old)))
end
redis.call("HSET", key, "v", string.match(v, "^%d+|[%w_-]+|%d+|") .. records,
  record, sequence .. "|" .. fingerprint .. "|" .. time[1] .. "|refused")
