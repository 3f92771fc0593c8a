-- Removes every line; the cart itself stays. A cart that does not exist is not made.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, currency = unpack(ARGV)
local touched, works_on = "", "open"
-- @include read_cart
-- @include judge
local is_named = string.sub(record, 1, 1) == "#"
if verdict == "new" and (alive or is_named) then
  -- @include make_room

  local writes = {}
  if alive then
    drops_lines = true
    line_count, total_quantity, units, nanos = 0, 0, 0, 0
  else
    -- @include entomb
  end
  -- @include commit
end
-- @include answer
