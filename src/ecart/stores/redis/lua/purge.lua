-- Erases the cart of this epoch with its records; a cart made since has another epoch and stays.
local key = unpack(KEYS)
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, purged_epoch = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl }
local cart, bad = read_cart(key, record, "v")
if not cart then return { "corrupt_cart", bad } end
local verdict = judge(cart, change, expected)
if verdict ~= "new" and verdict ~= "replayed" then return verdict end
if cart.epoch == purged_epoch then
  redis.call("DEL", key)
  cart = {}
end
return answer(key, cart, want_cart, "0", "v", cart.v)
