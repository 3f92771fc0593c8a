-- A tombstone in place of a cart, or where a named change found none: its records let repeats be recognised.
-- Returns: the mark of the reply, and header and counters as of `read_cart`.
local function tombstone(now, header, epoch, currency, ttl)
  local gone, counters = new_cart(now, header.version, header.records, epoch, currency, ttl)
  gone.s, gone.expired, gone.has_no_place = "gone", header.expired, header.has_no_place
  if not header.m then return "2", gone, counters end
  gone.m = header.m
  return "0", gone, counters
end
