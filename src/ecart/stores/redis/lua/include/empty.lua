-- Sets the counters of a cart without lines.
local function empty(cart)
  cart.lines, cart.quantity, cart.units, cart.nanos = 0, 0, 0, 0
end
