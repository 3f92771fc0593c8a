-- Writes a cart at its next version. What grows is written by the first HSET, which a full memory refuses.
-- Takes: header and counters as they are to be; m and s as stored; `writes`, the change's record, which is left out where
-- there is no place for it, and further names and values; lifetime, the milliseconds after which it expires.
-- Returns: the texts of v and c as written.
local function write_cart(key, now, lifetime, digest, header, counters, m, s, writes)
  -- %d takes half the time of %.0f, and is exact below 2^31 also where a long has 32 bits.
  local version = header.version + 1
  local number = string.format(version < 2 ^ 31 and "%d" or "%.0f", version)
  local v, b = number .. "|" .. digest .. "|" .. now .. "|" .. header.records, number .. "|" .. counters.bytes
  local c = string.format(counters.quantity + counters.units < 2 ^ 31 and "%d|%d|%d|%d|%d" or "%d|%.0f|%.0f|%d|%d",
    counters.lines, counters.quantity, counters.units, counters.nanos, counters.position)
  if header.m ~= m then
    writes[#writes + 1] = "m"
    writes[#writes + 1] = header.m
  end
  if header.s and header.s ~= s then
    writes[#writes + 1] = "s"
    writes[#writes + 1] = header.s
  end
  redis.call("HSET", key, "v", v, "c", c, "b", b, unpack(writes, header.has_no_place and 3 or 1, math.min(1000, #writes)))
  for i = 1001, #writes, 1000 do
    redis.call("HSET", key, unpack(writes, i, math.min(i + 999, #writes)))
  end
  local old = header.expired or {}
  if s and s ~= header.s then
    if not header.s then redis.call("HDEL", key, "s") end
    if string.find(s, "^locked|.*|1$") then -- what a check-out saw of lines, which is of no use any more
      for _, name in ipairs(redis.call("HKEYS", key)) do
        if string.sub(name, 1, 1) == "!" then old[#old + 1] = name end
      end
    end
  end
  for i = 1, #old, 1000 do
    redis.call("HDEL", key, unpack(old, i, math.min(i + 999, #old)))
  end
  expire(key, now, lifetime)
  return v, c
end
