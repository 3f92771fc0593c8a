-- Holds the cart for one check-out, until it ends or its time runs out.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, checkout_id, milliseconds, keeps = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include make_room
-- @include drop_fields
-- @include commit

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl }
local touched = "v" -- it is of no line
-- @include begin
if not cart.alive or cart.lines == 0 then return { "cart_empty" } end
local room, old = make_room(key, cart, record)
if not room then return { "too_many_operations" } end

-- A deletion, though of nothing, lets the writes that follow pass when memory is full.
redis.call("HDEL", key, "!")
cart.s = string.format("locked|%s|%.0f|%s", checkout_id, cart.now + milliseconds, keeps)
commit(key, cart, change, old, {})
return answer(key, cart, want_cart, "0")
