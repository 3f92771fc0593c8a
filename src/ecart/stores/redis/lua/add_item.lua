-- Adds units of a SKU to its line, making the line, and the cart, as needed.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, line, quantity, unit_price, currency, title, extra, max_quantity, max_lines = unpack(ARGV)
local touched, works_on = line, "kept"
-- @include read_cart
-- @include judge
if verdict == "new" then
  -- @include revive
  local was, old_price, position, old_title, old_extra = 0, "", nil, "", ""
  if line_text then
    was, old_price, position, old_title, old_extra =
      string.match(line_text, "^(%d+)|([%d%.]*)|(%d+)|([^|]*)|(.*)$")
    if not was then return { "corrupt_cart", line } end
  end
  local line_units = was + quantity
  if line_units > max_quantity + 0 then return { "quantity_limit_exceeded", max_quantity } end
  if not line_text and line_count >= max_lines + 0 then return { "line_limit_exceeded", max_lines } end
  if unit_price ~= "" and cart_currency ~= currency then
    if line_count > 0 then return { "currency_mismatch", cart_currency, currency } end
    cart_currency, renew = currency, true
  end
  local price, times = old_price, quantity
  if unit_price ~= "" and unit_price ~= old_price then
    times = -was
    -- @include add_amount
    price, times = unit_price, line_units
  end
  -- @include add_amount
  if units >= 2 ^ 53 then return { "amount_out_of_range" } end
  -- @include make_room

  if not line_text then
    line_count, last_position = line_count + 1, last_position + 1
    position, old_extra = string.format("%d", last_position), extra
  elseif string.sub(extra, 1, 5) == '{"d":' then
    old_extra = extra -- options are the same; details, where there are any, come first in the JSON
  end
  total_quantity = total_quantity + quantity
  shown = string.format("%d|", line_units) .. price .. "|" .. position .. "|"
    .. (title ~= "" and title or old_title) .. "|" .. old_extra
  local writes = { line, shown }
  if keeps and state then
    local seen = "!" .. string.sub(line, 2)
    if redis.call("HEXISTS", key, seen) == 0 then
      writes[3], writes[4] = seen, string.format("%.0f", was)
    end
  end
  -- @include commit
end
-- @include answer
