-- Opens the cart again, as it is.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, checkout_id = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include make_room
-- @include drop_fields
-- @include commit

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl, works_on = "held" }
local touched = "v" -- it is of no line
-- @include begin
if cart.status ~= "locked" or cart.hold ~= checkout_id then return { "checkout_not_open" } end
local room, old = make_room(key, cart, record)
if not room then return { "too_many_operations" } end

redis.call("HDEL", key, "s")
cart.s = nil
commit(key, cart, change, old, {})
return answer(key, cart, want_cart, "0")
