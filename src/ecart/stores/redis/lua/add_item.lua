-- Adds units of a SKU to its line, making the line, and the cart, as needed.
-- @include line_bytes, read_cart, check_change, begin_change, new_cart, add_amount, count_record, expire, write_cart, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, line, quantity, unit_price, currency, title, extra, max_quantity, max_lines, max_bytes = unpack(ARGV)

local refusal, is_repeat, now, header, counters, v, c, m, s, recorded, stored_line =
  begin_change(key, KEYS[2], "kept", record, sequence, fingerprint, expected, ttl, line)
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, stored_line or "") end

local mark = "0"
if not m or s == "gone" then
  mark, header, counters = "2", new_cart(now, header.version, header.records, epoch, currency, ttl)
end
local was, old_price, position, old_title, old_extra = 0, "", nil, "", ""
if stored_line then
  was, old_price, position, old_title, old_extra = string.match(stored_line, "^(%d+)|([%d%.]*)|(%d+)|([^|]*)|(.*)$")
  if not was then return { "corrupt_cart", line } end
end
local line_units = was + quantity
if line_units > max_quantity + 0 then return { "quantity_limit_exceeded", max_quantity } end
if not stored_line and counters.lines >= max_lines + 0 then return { "line_limit_exceeded", max_lines } end
if unit_price ~= "" and header.currency ~= currency then
  if counters.lines > 0 then return { "currency_mismatch", header.currency, currency } end
  header.m = string.gsub(header.m, "^(1|[%w_-]+|)%u+", "%1" .. currency)
end
local price, times, units, nanos = old_price, quantity, counters.units, counters.nanos
if unit_price ~= "" and unit_price ~= old_price then
  units, nanos = add_amount(units, nanos, -was, old_price)
  price, times = unit_price, line_units
end
units, nanos = add_amount(units, nanos, times, price)
if units >= 2 ^ 53 then return { "amount_out_of_range" } end
local new_title, new_extra = title ~= "" and title or old_title, old_extra
if not stored_line then
  new_extra = extra
elseif string.sub(extra, 1, 5) == '{"d":' then
  -- Attributes stay; options are the same; details, where there are any, come first in the JSON.
  new_extra = string.match(old_extra, "^[^{]*") .. extra
end
local grown = #new_title + #new_extra - #old_title - #old_extra + (stored_line and 0 or #line + 1)
if grown > 0 and counters.bytes + grown > max_bytes + 0 then return { "cart_too_large", max_bytes } end
refusal = count_record(key, now, record, recorded, header, true)
if refusal then return refusal end

counters.quantity, counters.units, counters.nanos = counters.quantity + quantity, units, nanos
counters.bytes = counters.bytes + grown
if not stored_line then
  counters.lines, counters.position = counters.lines + 1, counters.position + 1
  position = string.format("%d", counters.position)
end
local new_line = string.format("%d|", line_units) .. price .. "|" .. position .. "|" .. new_title .. "|" .. new_extra
local writes = { record, record_text(now, sequence, fingerprint, ""), line, new_line }
if header.s and redis.call("HEXISTS", key, "!" .. string.sub(line, 2)) == 0 then
  writes[5], writes[6] = "!" .. string.sub(line, 2), string.format("%.0f", was) -- for a check-out that keeps additions
end
v, c = write_cart(key, now, header.ttl, digest, header, counters, m, s, writes)
return reply(key, want_cart, mark, v, c, header.m, header.s, new_line)
