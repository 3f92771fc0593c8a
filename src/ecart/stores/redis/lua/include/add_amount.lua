-- Adds `times` units at `price` to the subtotal, in whole units and billionths, both exact below 2^53.
if price ~= "" then
  local whole, fraction = string.match(price, "^(%d+)%.?(%d*)$")
  local sum = nanos + times * string.sub(fraction .. "000000000", 1, 9)
  local carry = math.floor(sum / 1e9)
  nanos = sum - carry * 1e9
  units = units + times * whole + carry
end
