-- Adds units of a SKU to its line, making the line, and the cart, as needed.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, line, quantity, unit_price, currency, title, extra, max_quantity, max_lines = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include revive
-- @include money
-- @include make_room
-- @include drop_fields
-- @include commit

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl, works_on = "kept" }
local touched = line
-- @include begin

revive(cart, epoch, currency)
local was, old_price, position, old_title, old_extra = 0, "", nil, "", ""
if cart.line then
  was, old_price, position, old_title, old_extra =
    string.match(cart.line, "^(%d+)|([%d%.]*)|(%d+)|([^|]*)|(.*)$")
  if not was then return { "corrupt_cart", line } end
end
local units = was + quantity
if units > max_quantity + 0 then return { "quantity_limit_exceeded", max_quantity } end
if not cart.line and cart.lines >= max_lines + 0 then return { "line_limit_exceeded", max_lines } end
if unit_price ~= "" and cart.currency ~= currency then
  if cart.lines > 0 then return { "currency_mismatch", cart.currency, currency } end
  cart.currency, cart.renew = currency, true
end
local price = unit_price ~= "" and unit_price or old_price
local same = price == old_price
if not same then add_amount(cart, -was, old_price) end
add_amount(cart, same and quantity or units, price)
if cart.units >= 2 ^ 53 then return { "amount_out_of_range" } end
local room, old = make_room(key, cart, record)
if not room then return { "too_many_operations" } end

if not cart.line then
  cart.lines, cart.position = cart.lines + 1, cart.position + 1
  position, old_extra = string.format("%d", cart.position), extra
elseif string.sub(extra, 1, 5) == '{"d":' then
  old_extra = extra -- options are the same; details, where there are any, come first in the JSON
end
cart.quantity = cart.quantity + quantity
local value = string.format("%d|", units) .. price .. "|" .. position .. "|"
  .. (title ~= "" and title or old_title) .. "|" .. old_extra
local writes = { line, value }
if cart.keeps and cart.s then
  local seen = "!" .. string.sub(line, 2)
  if redis.call("HEXISTS", key, seen) == 0 then
    writes[3], writes[4] = seen, string.format("%.0f", was)
  end
end
commit(key, cart, change, old, writes)
return answer(key, cart, want_cart, "0", value)
