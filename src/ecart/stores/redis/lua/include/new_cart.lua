-- An open cart without lines, where there is none or a tombstone: versions and records continue.
-- Returns: header and counters, as of `read_cart`.
local function new_cart(now, version, records, epoch, currency, ttl)
  local m = "1|" .. epoch .. "|" .. currency .. "|" .. now .. "|" .. ttl
  return { version = version, records = records, currency = currency, ttl = ttl, m = m },
    { lines = 0, quantity = 0, units = 0, nanos = 0, position = 0, bytes = 0 }
end
