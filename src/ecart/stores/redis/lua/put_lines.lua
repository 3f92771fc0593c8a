-- Makes the cart hold the given lines as they are; others stay. The tail: field, line without position; other fields.
-- @include line_bytes, read_cart, check_change, begin_change, new_cart, add_amount, count_record, expire, write_cart, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, currency, max_lines, max_bytes, priced, count = unpack(ARGV, 1, 13)

local refusal, is_repeat, now, header, counters, v, c, m, s, recorded =
  begin_change(key, KEYS[2], "open", record, sequence, fingerprint, expected, ttl, "")
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, "") end
if count == "0" then return reply(key, want_cart, "0", v, c, m, header.s, "") end

local mark, had_lines = "0", m and s ~= "gone" and counters.lines > 0
if not m or s == "gone" then
  mark, header, counters = "2", new_cart(now, header.version, header.records, epoch, currency, ttl)
end
local writes, first = { record, record_text(now, sequence, fingerprint, "") }, 14
local last = first + 2 * count - 1
local quantity_before, units, nanos, bytes = counters.quantity, counters.units, counters.nanos, counters.bytes
for i = first, last, 2 do
  local stored_line, position = redis.call("HGET", key, ARGV[i]), nil
  if stored_line then
    local was, old_price, old_position = string.match(stored_line, "^(%d+)|([%d%.]*)|(%d+)|")
    if not was then return { "corrupt_cart", ARGV[i] } end
    units, nanos = add_amount(units, nanos, -was, old_price)
    counters.quantity, position = counters.quantity - was, old_position
    bytes = bytes - line_bytes(ARGV[i], stored_line)
  else
    counters.lines, counters.position = counters.lines + 1, counters.position + 1
    position = string.format("%.0f", counters.position)
  end
  writes[#writes + 1] = ARGV[i]
  writes[#writes + 1] = position
end
-- Adding begins when everything is taken off: on its way, no sum is larger than the last.
for i = 4, #writes, 2 do
  local quantity, price, rest = string.match(ARGV[first + i - 3], "^(%d+)|([%d%.]*)|(.*)$")
  units, nanos = add_amount(units, nanos, quantity, price)
  counters.quantity = counters.quantity + quantity
  writes[i] = quantity .. "|" .. price .. "|" .. writes[i] .. "|" .. rest
  bytes = bytes + line_bytes(writes[i - 1], writes[i])
end
for i = last + 1, #ARGV do
  writes[#writes + 1] = ARGV[i]
end
if counters.lines > tonumber(max_lines) then return { "line_limit_exceeded", max_lines } end
if priced == "1" and header.currency ~= currency then
  if had_lines then return { "currency_mismatch", header.currency, currency } end
  header.m = string.gsub(header.m, "^(1|[%w_-]+|)%u+", "%1" .. currency)
end
if units >= 2 ^ 53 then return { "amount_out_of_range" } end
if bytes > counters.bytes and bytes > max_bytes + 0 then return { "cart_too_large", max_bytes } end
refusal = count_record(key, now, record, recorded, header, counters.quantity > quantity_before)
if refusal then return refusal end

counters.units, counters.nanos, counters.bytes = units, nanos, bytes
v, c = write_cart(key, now, header.ttl, digest, header, counters, m, s, writes)
return reply(key, want_cart, mark, v, c, header.m, header.s, "")
