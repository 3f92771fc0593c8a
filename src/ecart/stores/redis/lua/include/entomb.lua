-- Leaves a tombstone, where a cart ends or where a named change found none, so that repeats stay known.
local function entomb(cart, change, epoch, currency)
  if not cart.m then
    cart.epoch, cart.created, cart.currency, cart.life = epoch, cart.now, currency, ""
  end
  cart.lines, cart.quantity, cart.units, cart.nanos, cart.position = 0, 0, 0, 0, 0
  cart.renew, cart.s, change.ends_in = true, "gone", "900000"
end
