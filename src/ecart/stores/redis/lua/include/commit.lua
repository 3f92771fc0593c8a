-- Writes header, record and the given fields at the next version, sets the expiry, forgets old records.
local function commit(key, cart, change, old, writes)
  local now, version, ttl = cart.now, cart.version + 1, change.ttl
  if string.sub(cart.life, 1, 1) == "!" then
    ttl = string.sub(cart.life, 2)
  elseif cart.life ~= ttl then
    cart.life, cart.renew = ttl, true
  end
  -- %d takes half the time of %.0f, and is exact below 2^31 also where a long has 32 bits.
  cart.v = string.format(version < 2 ^ 31 and "%d" or "%.0f", version)
    .. "|" .. change.digest .. "|" .. now .. "|" .. cart.records
  cart.c = string.format(cart.quantity + cart.units < 2 ^ 31 and "%d|%d|%d|%d|%d" or "%d|%.0f|%.0f|%d|%d",
    cart.lines, cart.quantity, cart.units, cart.nanos, cart.position)
  if cart.renew then
    local epoch, created = string.match(cart.m or "", "^1|([%w_-]+)|%u+|(%d+)|")
    cart.m = "1|" .. (cart.epoch or epoch) .. "|" .. cart.currency .. "|" .. (cart.created or created) .. "|" .. cart.life
    writes[#writes + 1] = "m"
    writes[#writes + 1] = cart.m
  end
  if cart.s and cart.s ~= cart.stored_s then
    writes[#writes + 1] = "s"
    writes[#writes + 1] = cart.s
  end
  local record = change.sequence .. "|" .. change.fingerprint .. "|" .. string.sub(now, 1, -4) .. (change.note or "")
  redis.call("HSET", key, "v", cart.v, "c", cart.c, change.record, record,
    unpack(writes, 1, math.min(1000, #writes)))
  for i = 1001, #writes, 1000 do
    redis.call("HSET", key, unpack(writes, i, math.min(i + 999, #writes)))
  end
  if cart.stored_s and not cart.s then redis.call("HDEL", key, "s") end
  if cart.keeps and cart.s ~= cart.stored_s then drop_fields(key, "!") end
  for i = 1, old and #old or 0, 1000 do
    redis.call("HDEL", key, unpack(old, i, math.min(i + 999, #old)))
  end
  ttl = change.ends_in or ttl
  if ttl == "0" then
    redis.call("PERSIST", key)
  else
    redis.call("PEXPIREAT", key, now + ttl)
  end
end
