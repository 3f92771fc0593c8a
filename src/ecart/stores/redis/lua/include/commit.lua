-- Writes header, record and the given fields at the next version, sets the expiry, forgets old records.
local function commit(key, cart, change, old, writes)
  if cart.pinned == "" and cart.ttl ~= change.ttl then cart.ttl, cart.renew = change.ttl, true end
  local now = string.format("%.0f", cart.now)
  cart.v = string.format("%.0f|%s|%s|%s|%s|%s",
    cart.version + 1, change.digest, now, cart.lanes, cart.keys, cart.swept)
  -- %d is exact below 2^31, also where a long has 32 bits, and takes half the time of %.0f.
  cart.c = string.format("%d|%.0f|%.0f|%d|%d",
    cart.lines, cart.quantity, cart.units, cart.nanos, cart.position)
  if cart.renew then
    cart.m = string.format("1|%s|%s|%s|%s%s",
      cart.epoch, cart.currency, cart.created, cart.pinned, cart.ttl)
    writes[#writes + 1] = "m"
    writes[#writes + 1] = cart.m
  end
  if cart.s and cart.s ~= cart.stored_s then
    writes[#writes + 1] = "s"
    writes[#writes + 1] = cart.s
  end
  local seconds = string.sub(now, 1, -4)
  local record = change.sequence .. "|" .. change.fingerprint .. "|" .. seconds .. (change.note or "")
  redis.call("HSET", key, "v", cart.v, "c", cart.c, change.record, record,
    unpack(writes, 1, math.min(1000, #writes)))
  for i = 1001, #writes, 1000 do
    redis.call("HSET", key, unpack(writes, i, math.min(i + 999, #writes)))
  end
  if cart.stored_s and not cart.s then redis.call("HDEL", key, "s") end
  if cart.keeps and cart.s ~= cart.stored_s then drop_fields(key, "!") end
  for i = 1, #old, 1000 do
    redis.call("HDEL", key, unpack(old, i, math.min(i + 999, #old)))
  end
  local ttl = change.ends_in or cart.ttl
  if ttl == "0" then
    redis.call("PERSIST", key)
  else
    redis.call("PEXPIREAT", key, string.format("%.0f", cart.now + ttl))
  end
end
