-- Gives the cart a time to live of its own, which later changes keep. "0": it never expires.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, currency, cart_ttl = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include make_room
-- @include drop_fields
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
  cart.life, cart.renew = "!" .. cart_ttl, true
else
  entomb(cart, change, epoch, currency)
end
commit(key, cart, change, old, {})
return answer(key, cart, want_cart, "0")
