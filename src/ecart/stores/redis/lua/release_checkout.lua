-- Opens the cart again, as it is.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, checkout_id = unpack(ARGV)
local touched, works_on = "", "held"
-- @include read_cart
-- @include judge
if verdict == "new" then
  if status ~= "locked" or holder ~= checkout_id then return { "checkout_not_open" } end
  -- @include make_room

  redis.call("HDEL", key, "s")
  local writes = {}
  state = nil
  -- @include commit
end
-- @include answer
