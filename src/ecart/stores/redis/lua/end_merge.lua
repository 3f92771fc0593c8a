-- Ends the merge of this cart: it becomes the copy for undoing, or opens again if the target refused.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, merge_id, is_merged = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include make_room
-- @include drop_fields
-- @include commit

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl, works_on = "any" }
local touched = "v" -- it is of no line
-- @include begin
if cart.status ~= "merging" or cart.hold ~= merge_id then
  return answer(key, cart, want_cart, "0")
end
local room, old = make_room(key, cart, record)
if not room then return { "too_many_operations" } end

redis.call("HDEL", key, "!")
if is_merged == "1" then
  cart.s, change.ends_in = "merged" .. string.sub(cart.s, 8), "86400000"
else
  cart.s = nil
end
commit(key, cart, change, old, {})
return answer(key, cart, want_cart, "0")
