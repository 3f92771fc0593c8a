-- Removes every line; the cart itself stays. A cart that does not exist is not made.
-- @include line_bytes, read_cart, check_change, begin_change, new_cart, tombstone, count_record, delete_fields, expire, write_cart, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, currency = unpack(ARGV)

local refusal, is_repeat, now, header, counters, v, c, m, s, recorded =
  begin_change(key, KEYS[2], "open", record, sequence, fingerprint, expected, ttl, "")
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, "") end
local is_named, exists = string.sub(record, 1, 1) == "#", m and s ~= "gone"
if not exists and not is_named then return reply(key, want_cart, "0", v, c, m, header.s, "") end
refusal = count_record(key, now, record, recorded, header, false)
if refusal then return refusal end

local mark, lifetime = "0", header.ttl
if exists then
  delete_lines(key, false)
  counters = { lines = 0, quantity = 0, units = 0, nanos = 0, position = counters.position, bytes = 0 }
else
  mark, header, counters = tombstone(now, header, epoch, currency, ttl)
  lifetime = "900000"
end
v, c = write_cart(key, now, lifetime, digest, header, counters, m, s, { record, record_text(now, sequence, fingerprint, "") })
return reply(key, want_cart, mark, v, c, header.m, header.s, "")
