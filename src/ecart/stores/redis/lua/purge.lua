-- Erases the cart of this epoch with its records; a cart made since has another epoch and stays.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, purged_epoch = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include epoch_of

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl, works_on = "any" }
local cart, bad = read_cart(key, record, "v")
if not cart then return { "corrupt_cart", bad } end
-- Not the cart that was meant, or no longer: this may be a repeat.
if epoch_of(cart) ~= purged_epoch then return answer(key, cart, want_cart, "0") end
local verdict = judge(cart, change, expected)
if verdict ~= "new" and verdict ~= "replayed" then return verdict end
redis.call("DEL", key)
return answer(key, {}, want_cart, "0")
