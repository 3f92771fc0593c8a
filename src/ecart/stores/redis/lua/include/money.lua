-- Adds `times` units at a price to the cart's subtotal, in whole units and billionths, both exact below 2^53.
local function add_amount(cart, times, price)
  if price == "" then return end
  local units, fraction = string.match(price, "^(%d+)%.?(%d*)$")
  local nanos = cart.nanos + times * string.sub(fraction .. "000000000", 1, 9)
  local carry = math.floor(nanos / 1e9)
  cart.nanos = nanos - carry * 1e9
  cart.units = cart.units + times * units + carry
end
