-- Makes the cart hold the given lines as they are; its other lines stay. The tail: field, line; without position.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, currency, max_lines, priced, count = unpack(ARGV, 1, 12)
local touched, works_on = "", "open"
-- @include read_cart
-- @include judge
if verdict == "new" and count ~= "0" then
  local had_lines = alive and line_count > 0
  -- @include revive
  local writes, first = {}, #ARGV - 2 * count + 1
  for i = first, #ARGV, 2 do
    local line, position = redis.call("HGET", key, ARGV[i]), nil
    if line then
      local was, price, old_position = string.match(line, "^(%d+)|([%d%.]*)|(%d+)|")
      if not was then return { "corrupt_cart", ARGV[i] } end
      local times = -was
      -- @include add_amount
      total_quantity, position = total_quantity - was, old_position
    else
      last_position, line_count = last_position + 1, line_count + 1
      position = string.format("%.0f", last_position)
    end
    writes[#writes + 1] = ARGV[i]
    writes[#writes + 1] = position
  end
  -- Adding begins when everything is taken off: on its way, no sum is larger than the last.
  for i = 2, #writes, 2 do
    local times, price, rest = string.match(ARGV[first + i - 1], "^(%d+)|([%d%.]*)|(.*)$")
    -- @include add_amount
    total_quantity = total_quantity + times
    writes[i] = times .. "|" .. price .. "|" .. writes[i] .. "|" .. rest
  end
  if line_count > tonumber(max_lines) then return { "line_limit_exceeded", max_lines } end
  if priced == "1" and cart_currency ~= currency then
    if had_lines then return { "currency_mismatch", cart_currency, currency } end
    cart_currency, renew = currency, true
  end
  if units >= 2 ^ 53 then return { "amount_out_of_range" } end
  -- @include make_room
  -- @include commit
end
-- @include answer
