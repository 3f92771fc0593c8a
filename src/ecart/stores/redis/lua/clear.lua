-- Removes every line; the cart itself stays. A cart that does not exist is not made.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, currency = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include make_room
-- @include drop_fields
-- @include empty
-- @include entomb
-- @include commit

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl }
local touched = "v" -- it is of no line
-- @include begin
local is_named = string.sub(record, 1, 1) == "#"
if not cart.alive and not is_named then return answer(key, cart, want_cart, "0") end
local room, old = make_room(key, cart, record)
if not room then return { "too_many_operations" } end

if cart.alive then
  drop_fields(key, ":")
  empty(cart)
else
  entomb(cart, change, epoch, currency)
end
commit(key, cart, change, old, {})
return answer(key, cart, want_cart, "0")
