-- Refuses a merge for good: whoever tries it again hears the same, so that the source can open safely.
local function refuse_merge(key, cart, change, reply)
  if reply[1] == "corrupt_cart" or not cart.m then return reply end
  local _, old = make_room(key, cart, change.record)
  old = old or {}
  redis.call("HDEL", key, "!", unpack(old, 1, math.min(1000, #old)))
  for i = 1001, #old, 1000 do
    redis.call("HDEL", key, unpack(old, i, math.min(i + 999, #old)))
  end
  redis.call("HSET", key,
    "v", string.match(cart.v, "^%d+|[%w_-]+|%d+|") .. cart.records,
    change.record, change.sequence .. "|" .. change.fingerprint .. "|" .. string.sub(cart.now, 1, -4) .. "|refused")
  return reply
end
