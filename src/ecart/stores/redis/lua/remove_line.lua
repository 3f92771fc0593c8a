-- Takes a line out of the cart, whatever its quantity.
-- @include line_bytes, read_cart, check_change, begin_change, add_amount, count_record, expire, write_cart, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, line = unpack(ARGV)

local refusal, is_repeat, now, header, counters, v, c, m, s, recorded, stored_line =
  begin_change(key, KEYS[2], "open", record, sequence, fingerprint, expected, ttl, line)
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, stored_line or "") end
if not stored_line then return { "line_not_found" } end
local was, price = string.match(stored_line, "^(%d+)|([%d%.]*)|%d+|")
if not was then return { "corrupt_cart", line } end
refusal = count_record(key, now, record, recorded, header, false)
if refusal then return refusal end

redis.call("HDEL", key, line)
counters.lines, counters.quantity = counters.lines - 1, counters.quantity - was
counters.bytes = counters.bytes - line_bytes(line, stored_line)
counters.units, counters.nanos = add_amount(counters.units, counters.nanos, -was, price)
v, c = write_cart(key, now, header.ttl, digest, header, counters, m, s, { record, record_text(now, sequence, fingerprint, "") })
return reply(key, want_cart, "0", v, c, header.m, header.s, "")
