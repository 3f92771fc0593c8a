-- Takes a line out of the cart, whatever its quantity.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, line = unpack(ARGV)
local touched, works_on = line, "open"
-- @include read_cart
-- @include judge
if verdict == "new" then
  if not line_text then return { "line_not_found" } end
  local was, price = string.match(line_text, "^(%d+)|([%d%.]*)|%d+|")
  if not was then return { "corrupt_cart", line } end
  -- @include make_room

  redis.call("HDEL", key, line)
  local writes, times = {}, -was
  -- @include add_amount
  total_quantity, line_count = total_quantity - was, line_count - 1
  -- @include commit
end
-- @include answer
