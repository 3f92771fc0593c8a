-- The epoch of a cart, drawn when it was made; empty for one that does not exist.
local function epoch_of(cart)
  return string.match(cart.m or "", "^1|([%w_-]+)") or ""
end
