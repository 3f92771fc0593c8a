-- Makes the cart hold the given lines as they are; its other lines stay. The tail: field, line; without position.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, currency, max_lines, priced, count = unpack(ARGV, 1, 12)
-- @include read_cart
-- @include judge
-- @include answer
-- @include revive
-- @include money
-- @include make_room
-- @include drop_fields
-- @include commit

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl }
local touched = "v" -- it is of no line
-- @include begin
if count == "0" then return answer(key, cart, want_cart, "0") end

local had_lines = cart.alive and cart.lines > 0
revive(cart, epoch, currency)
local writes, first = {}, #ARGV - 2 * count + 1
for i = first, #ARGV, 2 do
  local line, position = redis.call("HGET", key, ARGV[i]), nil
  if line then
    local was, old_price, old_position = string.match(line, "^(%d+)|([%d%.]*)|(%d+)|")
    if not was then return { "corrupt_cart", ARGV[i] } end
    add_amount(cart, -was, old_price)
    cart.quantity, position = cart.quantity - was, old_position
  else
    cart.position, cart.lines = cart.position + 1, cart.lines + 1
    position = string.format("%.0f", cart.position)
  end
  writes[#writes + 1] = ARGV[i]
  writes[#writes + 1] = position
end
-- Adding begins when everything is taken off: on its way, no sum is larger than the last.
for i = 2, #writes, 2 do
  local quantity, price, rest = string.match(ARGV[first + i - 1], "^(%d+)|([%d%.]*)|(.*)$")
  add_amount(cart, tonumber(quantity), price)
  cart.quantity = cart.quantity + quantity
  writes[i] = quantity .. "|" .. price .. "|" .. writes[i] .. "|" .. rest
end
if cart.lines > tonumber(max_lines) then return { "line_limit_exceeded", max_lines } end
if priced == "1" and cart.currency ~= currency then
  if had_lines then return { "currency_mismatch", cart.currency, currency } end
  cart.currency, cart.renew = currency, true
end
if cart.units >= 2 ^ 53 then return { "amount_out_of_range" } end
local room, old = make_room(key, cart, record)
if not room then return { "too_many_operations" } end

commit(key, cart, change, old, writes)
return answer(key, cart, want_cart, "0")
