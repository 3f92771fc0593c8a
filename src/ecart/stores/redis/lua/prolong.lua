-- Gives a cart that was to expire early its full life, counted from its last change; nothing else changes.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, early = unpack(ARGV)
-- @include read_cart
-- @include answer

local cart, bad = read_cart(key, record, "v")
if not cart then return { "corrupt_cart", bad } end
local lives = cart.alive and (not cart.status or cart.status == "locked")
if lives and cart.life == early then
  -- A deletion, though of nothing, lets the write that follows pass when memory is full.
  redis.call("HDEL", key, "!")
  cart.m = string.match(cart.m, "^.*|") .. ttl
  redis.call("HSET", key, "m", cart.m)
  if ttl == "0" then
    redis.call("PERSIST", key)
  else
    redis.call("PEXPIREAT", key, string.match(cart.v, "^%d+|[%w_-]+|(%d+)") + ttl)
  end
end
return answer(key, cart, want_cart, "0")
