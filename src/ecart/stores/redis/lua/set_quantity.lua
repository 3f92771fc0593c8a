-- Replaces the quantity of a line; 0 removes the line.
-- @include line_bytes, read_cart, check_change, begin_change, add_amount, count_record, expire, write_cart, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, line, quantity = unpack(ARGV)

local refusal, is_repeat, now, header, counters, v, c, m, s, recorded, stored_line =
  begin_change(key, KEYS[2], "open", record, sequence, fingerprint, expected, ttl, line)
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, stored_line or "") end
if not stored_line then return { "line_not_found" } end
local was, price, rest = string.match(stored_line, "^(%d+)|([%d%.]*)(|%d+|.*)$")
if not was then return { "corrupt_cart", line } end
local times = quantity - was
local units, nanos = add_amount(counters.units, counters.nanos, times, price)
if units >= 2 ^ 53 then return { "amount_out_of_range" } end
refusal = count_record(key, now, record, recorded, header, times > 0)
if refusal then return refusal end

counters.quantity, counters.units, counters.nanos = counters.quantity + times, units, nanos
local writes, new_line = { record, record_text(now, sequence, fingerprint, "") }, ""
if quantity == "0" then
  redis.call("HDEL", key, line)
  counters.lines, counters.bytes = counters.lines - 1, counters.bytes - line_bytes(line, stored_line)
else
  new_line = quantity .. "|" .. price .. rest
  writes[#writes + 1] = line
  writes[#writes + 1] = new_line
end
v, c = write_cart(key, now, header.ttl, digest, header, counters, m, s, writes)
return reply(key, want_cart, "0", v, c, header.m, header.s, new_line)
