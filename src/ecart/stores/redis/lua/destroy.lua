-- Ends the cart; a tombstone keeps its records for 15 minutes, so that no late retry brings it back.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, currency = unpack(ARGV)
local touched, works_on = "", "open"
-- @include read_cart
-- @include judge
local is_named = string.sub(record, 1, 1) == "#"
if verdict == "new" and (alive or is_named) then
  -- @include make_room

  local writes = {}
  drops_lines = true
  -- @include entomb
  -- @include commit
end
-- @include answer
