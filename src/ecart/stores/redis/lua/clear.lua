-- Removes every line; the cart itself stays. A cart that does not exist is not made.
local key = unpack(KEYS)
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include begin
-- @include make_room
-- @include drop_lines
-- @include commit

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl }
local cart, ending = begin(key, change, expected, "v", want_cart)
if not cart then return ending end
if not cart.alive then return answer(key, cart, want_cart, "0", "v", cart.v) end
local old = make_room(key, cart, record)
if not old then return { "too_many_operations" } end

drop_lines(key, cart)
commit(key, cart, change, old, {})
return answer(key, cart, want_cart, "0", "v", cart.v)
