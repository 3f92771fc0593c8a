-- Gives the cart a time to live of its own, which later changes keep. "0": it never expires.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, currency, cart_ttl = unpack(ARGV)
local touched, works_on = "", "open"
-- @include read_cart
-- @include judge
local is_named = string.sub(record, 1, 1) == "#"
if verdict == "new" and (alive or is_named) then
  -- @include make_room

  local writes = {}
  if alive then
    life, renew = "!" .. cart_ttl, true
  else
    -- @include entomb
  end
  -- @include commit
end
-- @include answer
