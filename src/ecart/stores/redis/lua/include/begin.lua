-- Opens a change, in place: from here on there is the `cart` that it may go on with.
-- What may not ends with its reply. `touched` is the field of the line that the reply shows.
local cart, bad = read_cart(key, record, touched)
if not cart then return { "corrupt_cart", bad } end
local verdict = judge(cart, change, expected)
if verdict == "replayed" then return answer(key, cart, want_cart, "1", cart.line) end
if verdict ~= "new" then return verdict end
