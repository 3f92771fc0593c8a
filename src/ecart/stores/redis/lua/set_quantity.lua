-- Replaces the quantity of a line; 0 removes the line.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, line, quantity = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include money
-- @include make_room
-- @include drop_fields
-- @include commit

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl }
local touched = line
-- @include begin

if not cart.line then return { "line_not_found" } end
local was, price, rest = string.match(cart.line, "^(%d+)|([%d%.]*)(|%d+|.*)$")
if not was then return { "corrupt_cart", line } end
add_amount(cart, -was, price)
add_amount(cart, tonumber(quantity), price)
if cart.units >= 2 ^ 53 then return { "amount_out_of_range" } end
local room, old = make_room(key, cart, record)
if not room then return { "too_many_operations" } end

cart.quantity = cart.quantity - was + quantity
if quantity == "0" then
  redis.call("HDEL", key, line)
  cart.lines = cart.lines - 1
  commit(key, cart, change, old, {})
  return answer(key, cart, want_cart, "0")
end
local value = quantity .. "|" .. price .. rest
commit(key, cart, change, old, { line, value })
return answer(key, cart, want_cart, "0", value)
