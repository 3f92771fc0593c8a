-- Holds the cart for one check-out, until it ends or its time runs out.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, checkout_id, milliseconds, keeps_additions = unpack(ARGV)
local touched, works_on = "", "open"
-- @include read_cart
-- @include judge
if verdict == "new" then
  if not alive or line_count == 0 then return { "cart_empty" } end
  -- @include make_room

  -- A deletion, though of nothing, lets the writes that follow pass when memory is full.
  redis.call("HDEL", key, "!")
  local writes = {}
  state = string.format("locked|%s|%.0f|%s", checkout_id, now + milliseconds, keeps_additions)
  -- @include commit
end
-- @include answer
