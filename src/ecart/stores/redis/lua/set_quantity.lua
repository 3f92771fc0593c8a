-- Replaces the quantity of a line; 0 removes the line.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, line, quantity = unpack(ARGV)
local touched, works_on = line, "open"
-- @include read_cart
-- @include judge
if verdict == "new" then
  if not line_text then return { "line_not_found" } end
  local was, price, rest = string.match(line_text, "^(%d+)|([%d%.]*)(|%d+|.*)$")
  if not was then return { "corrupt_cart", line } end
  local times = quantity - was
  -- @include add_amount
  if units >= 2 ^ 53 then return { "amount_out_of_range" } end
  -- @include make_room

  local writes = {}
  total_quantity = total_quantity + times
  if quantity == "0" then
    redis.call("HDEL", key, line)
    line_count = line_count - 1
  else
    shown = quantity .. "|" .. price .. rest
    writes[1], writes[2] = line, shown
  end
  -- @include commit
end
-- @include answer
