-- Adds `times` units at a price to a subtotal in whole units and billionths, both exact below 2^53.
-- Returns: units and nanos of the new subtotal.
local function add_amount(units, nanos, times, price)
  if price == "" then return units, nanos end
  local whole, fraction = string.match(price, "^(%d+)%.?(%d*)$")
  local sum = nanos + times * string.sub(fraction .. "000000000", 1, 9)
  local carry = math.floor(sum / 1e9)
  return units + times * whole + carry, sum - carry * 1e9
end
