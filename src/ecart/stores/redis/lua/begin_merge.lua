-- Freezes the cart to be merged into another. A merge that has begun already is told, not begun again.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, merge_id, policy, target = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include make_room
-- @include drop_fields
-- @include commit

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl, works_on = "merging" }
local touched = "v" -- it is of no line
-- @include begin
if not cart.alive or cart.lines == 0 or cart.status then
  return answer(key, cart, want_cart, "0")
end
local room, old = make_room(key, cart, record)
if not room then return { "too_many_operations" } end

redis.call("HDEL", key, "!")
cart.s, change.ends_in = "merging|" .. merge_id .. "|" .. policy .. "|" .. target, "604800000"
commit(key, cart, change, old, {})
return answer(key, cart, want_cart, "0")
