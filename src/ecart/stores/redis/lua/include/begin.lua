-- Opens a change: the cart that it may go on with, or nil and the reply that ends it here.
local function begin(key, change, expected, line_field, want_cart)
  local cart, bad = read_cart(key, change.record, line_field)
  if not cart then return nil, { "corrupt_cart", bad } end
  local verdict = judge(cart, change, expected)
  if verdict == "new" then return cart end
  if verdict == "replayed" then return nil, answer(key, cart, want_cart, "1", cart.line) end
  return nil, verdict
end
