-- Refuses a merge for good: whoever tries it again hears the same, so that the source can open safely.
local function refuse_merge(key, cart, change, reply)
  if reply[1] == "corrupt_cart" or not cart.m then return reply end
  local old = make_room(key, cart, change.record)
  redis.call("HDEL", key, "!", unpack(old, 1, math.min(1000, #old)))
  for i = 1001, #old, 1000 do
    redis.call("HDEL", key, unpack(old, i, math.min(i + 999, #old)))
  end
  redis.call("HSET", key,
    "v", string.format("%.0f|%s|%s|%s|%s|%s",
      cart.version, cart.digest, cart.updated, cart.lanes, cart.keys, cart.swept),
    change.record, string.format("%s|%s|%.0f|refused",
      change.sequence, change.fingerprint, math.floor(cart.now / 1000)))
  return reply
end
