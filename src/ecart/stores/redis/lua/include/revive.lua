-- Makes a cart of what does not exist or is gone; its versions go on where they were.
local function revive(cart, epoch, currency)
  if cart.alive then return end
  cart.renew, cart.s = true, nil
  cart.epoch, cart.created, cart.currency, cart.life = epoch, cart.now, currency, ""
  cart.lines, cart.quantity, cart.units, cart.nanos, cart.position = 0, 0, 0, 0, 0
end
