-- Makes a cart of what does not exist or is gone; its versions go on where they were.
local function revive(cart, epoch, currency)
  if cart.alive then return end
  cart.renew, cart.s = true, nil
  cart.epoch, cart.currency, cart.created = epoch, currency, string.format("%.0f", cart.now)
  cart.pinned, cart.ttl = "", ""
  cart.lines, cart.quantity, cart.units, cart.nanos, cart.position = 0, 0, 0, 0, 0
end
