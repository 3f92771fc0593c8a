-- Writes header, record and the fields of `writes` at the next version, sets the expiry, forgets old records.
if life ~= ttl then
  if string.sub(life, 1, 1) == "!" then
    ttl = string.sub(life, 2)
  else
    life, renew = ttl, true
  end
end
-- %d takes half the time of %.0f, and is exact below 2^31 also where a long has 32 bits.
local next_version = version + 1
v = string.format(next_version < 2 ^ 31 and "%d" or "%.0f", next_version)
  .. "|" .. digest .. "|" .. now .. "|" .. records
c = string.format(total_quantity + units < 2 ^ 31 and "%d|%d|%d|%d|%d" or "%d|%.0f|%.0f|%d|%d",
  line_count, total_quantity, units, nanos, last_position)
if renew then
  local its_epoch, created = epoch, now
  if not born then its_epoch, created = string.match(m, "^1|([%w_-]+)|%u+|(%d+)|") end
  m = "1|" .. its_epoch .. "|" .. cart_currency .. "|" .. created .. "|" .. life
  writes[#writes + 1] = "m"
  writes[#writes + 1] = m
end
if state and state ~= stored_state then
  writes[#writes + 1] = "s"
  writes[#writes + 1] = state
end
-- Lines go before anything is written, so that a full memory lets that pass; what check-out saw of them goes after it.
local forgets_seen = keeps and state ~= stored_state
if drops_lines or forgets_seen then
  local lines = {}
  old = old or {}
  for _, field in ipairs(redis.call("HKEYS", key)) do
    local kind = string.sub(field, 1, 1)
    if kind == ":" and drops_lines then lines[#lines + 1] = field end
    if kind == "!" and forgets_seen then old[#old + 1] = field end
  end
  for i = 1, #lines, 1000 do
    redis.call("HDEL", key, unpack(lines, i, math.min(i + 999, #lines)))
  end
end
redis.call("HSET", key, "v", v, "c", c, record, sequence .. "|" .. fingerprint .. "|" .. time[1] .. note,
  unpack(writes, 1, math.min(1000, #writes)))
for i = 1001, #writes, 1000 do
  redis.call("HSET", key, unpack(writes, i, math.min(i + 999, #writes)))
end
if stored_state and not state then redis.call("HDEL", key, "s") end
for i = 1, old and #old or 0, 1000 do
  redis.call("HDEL", key, unpack(old, i, math.min(i + 999, #old)))
end
if (ends_in or ttl) == "0" then
  redis.call("PERSIST", key)
else
  redis.call("PEXPIREAT", key, now + (ends_in or ttl))
end
