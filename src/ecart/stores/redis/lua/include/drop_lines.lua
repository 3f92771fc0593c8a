-- Deletes every line of the cart and sets its counters to nothing.
local function drop_lines(key, cart)
  local lines = {}
  for _, field in ipairs(redis.call("HKEYS", key)) do
    if string.sub(field, 1, 1) == ":" then lines[#lines + 1] = field end
  end
  for i = 1, #lines, 1000 do
    redis.call("HDEL", key, unpack(lines, i, math.min(i + 999, #lines)))
  end
  cart.lines, cart.quantity, cart.units, cart.nanos = 0, 0, 0, 0
end
