-- Freezes the cart to be merged into another. A merge that has begun already is told, not begun again.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, merge_id, policy, target = unpack(ARGV)
local touched, works_on = "", "merging"
-- @include read_cart
-- @include judge
if verdict == "new" and alive and line_count > 0 and not status then
  -- @include make_room

  redis.call("HDEL", key, "!")
  local writes = {}
  state, ends_in = "merging|" .. merge_id .. "|" .. policy .. "|" .. target, "604800000"
  -- @include commit
end
-- @include answer
